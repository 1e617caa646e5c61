// DeviceLot: requests of devices that do not exist: keys and CSRs made before a measurement, so
// that it measures no key generation. The private keys are forgotten at once.
//
// A lot can be kept in a file and used again, but only for a ledger that has not seen it: a ledger
// gives a key one certificate, and the same request the same one for ever.
//
// Shape    PEM blocks "CERTIFICATE REQUEST", one after another; the common name is the device id
// Limits   kMaxLotBytes in a file
// Errors   InputInvalid naming the file, or Csr*; CryptoFailed; Io; Interrupted
// Threads  no state, safe anywhere; making a lot starts threads and ends them
#ifndef LINESIGN_APPLIANCE_BENCH_DEVICE_LOT_H_
#define LINESIGN_APPLIANCE_BENCH_DEVICE_LOT_H_

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "hsm/x509/key_type.h"
#include "protocol/base/result.h"
#include "stations/client/station_client.h"

namespace linesign::bench {

constexpr size_t kMaxLotBytes = 2UL * 1024 * 1024 * 1024;

struct LotSpec {
  KeyType device_key = KeyType::EcP256;
  size_t count = 0;
  std::string order = "default";
  unsigned threads = 1;
  int cancel_descriptor = -1;  // readable: Interrupted
};

// Device ids begin with a random part: no two lots have one in common.
Result<std::vector<IssueRequest>> make_lot(const LotSpec& spec,
                                           const std::function<void(size_t done)>& on_progress);

// The lot of a file. What the file lacks is made and added to it; no file is as good as an empty
// one.
Result<std::vector<IssueRequest>> load_lot(const std::filesystem::path& file,
                                           const LotSpec& spec,
                                           const std::function<void(size_t done)>& on_progress);

// The first `count` requests of a lot as a file of their own, which must not exist yet.
Result<void> write_lot(const std::filesystem::path& file,
                       std::span<const IssueRequest> lot,
                       size_t count);

}  // namespace linesign::bench

#endif  // LINESIGN_APPLIANCE_BENCH_DEVICE_LOT_H_
