// CertificateRange: the certificates of one order between two numbers of the ledger, in its order.
//
// A number of the ledger (issuance id) is given to an intent and never again. A range is finished
// when none of its numbers has an open intent and the ledger has gone beyond it: then it gives the
// same certificates for ever. Numbers without a certificate (VOID, other orders) are gaps that mean
// nothing.
//
// Range hash  SHA-256 over, for each certificate in ascending order: its number (8 bytes, big
//             endian), its id (32 bytes, the SHA-256 of its DER form), the place of its CA (4
//             bytes, big endian), the device id, and 0x0A; then the ids of the CAs in their order
// Memory      one page of the ledger
// Errors      of the source; ManifestRangeOpen: not finished, with the number up to which it is
// Threads     one
#ifndef LINESIGN_APPLIANCE_CLOUD_MANIFEST_CERTIFICATE_RANGE_H_
#define LINESIGN_APPLIANCE_CLOUD_MANIFEST_CERTIFICATE_RANGE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "appliance/records/cloud_records.h"
#include "hsm/x509/handles.h"
#include "protocol/base/ids.h"
#include "protocol/base/result.h"

namespace linesign {

constexpr size_t kMaxRangeCas = 50;

struct SequenceRange {
  uint64_t first = 1;
  std::optional<uint64_t> last;  // absent: the last certificate before the first open intent
};

struct RangeSummary {
  uint64_t first = 1;
  uint64_t last = 0;  // first - 1: nothing yet
  uint64_t count = 0;
  uint64_t first_sequence = 0;  // of the certificates in it; 0: there are none
  uint64_t last_sequence = 0;
  std::vector<Sha256> cas{};  // ids of the CAs that signed them, in the order of first use
  Sha256 hash{};

  bool operator==(const RangeSummary&) const = default;
};

class RangeHash final {
 public:
  RangeHash();
  void add(uint64_t sequence, const Sha256& certificate_id, size_t ca, std::string_view device_id);
  void add_ca(const Sha256& id);  // behind the certificates
  Sha256 finish();

 private:
  DigestContext context_;
};

// Certificates of an order above a number, at most so many: LedgerCloud::certificates.
using CertificateSource =
    std::function<Result<CertificatePage>(const std::string& order, uint64_t after, uint32_t)>;
// `ca`: place of the CA that signed it in RangeSummary::cas.
using TakeCertificate = std::function<Result<void>(const LedgerCertificate&, size_t ca)>;

Result<RangeSummary> walk_range(const CertificateSource& source,
                                const std::string& order,
                                const SequenceRange& range,
                                const TakeCertificate& take);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_MANIFEST_CERTIFICATE_RANGE_H_
