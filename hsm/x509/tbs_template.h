// TbsTemplate: a TBSCertificate of which only a few parts are still open.
//
// All that does not vary is encoded once; a certificate's bytes are then put together by copying.
//
// Shape    [0] version | serial | algorithm | issuer | validity | subject | key | [3] extensions
// Threads  immutable: safe anywhere
// Source   RFC 5280 section 4.1
#ifndef LINESIGN_HSM_X509_TBS_TEMPLATE_H_
#define LINESIGN_HSM_X509_TBS_TEMPLATE_H_

#include <array>

#include "hsm/x509/der_writer.h"
#include "protocol/base/clock.h"
#include "protocol/base/ids.h"

namespace linesign {

constexpr size_t kKeyIdBytes = 20;
using KeyId = std::array<uint8_t, kKeyIdBytes>;

// 9999-12-31T23:59:59Z, RFC 5280 section 4.1.2.5
constexpr UnixTime kNoExpiryTime{std::chrono::seconds(253402300799)};

// SHA-1 over the octets of the key's BIT STRING: RFC 5280 section 4.2.1.2 method (1).
KeyId make_key_id(ByteView public_key);

// UTCTime until 2049, GeneralizedTime after: RFC 5280 section 4.1.2.5.
void append_time(Bytes& out, UnixTime time);

struct TbsParts {
  SerialNumber serial{};
  UnixTime not_before{};
  UnixTime not_after{};
  ByteView subject;  // Name, header included
  ByteView spki;
  KeyId subject_key_id{};
  ByteView alt_names;  // the extension, or nothing
};

class TbsTemplate final {
 public:
  TbsTemplate() = default;
  // `extensions_head` ends where the subject key identifier's octets begin.
  TbsTemplate(ByteView signature_algorithm,
              ByteView issuer,
              Bytes extensions_head,
              Bytes extensions_tail);

  Bytes build(const TbsParts& parts) const;

 private:
  Bytes head_;  // version, and the serial's header
  Bytes signature_and_issuer_;
  Bytes extensions_head_;
  Bytes extensions_tail_;
};

}  // namespace linesign

#endif  // LINESIGN_HSM_X509_TBS_TEMPLATE_H_
