// CertificateFacts: what stands in any certificate, also in one that linesign would not have made.
//
// Errors   CryptoFailed: not a certificate
// Threads  no state, safe anywhere
#ifndef LINESIGN_HSM_X509_CERTIFICATE_FACTS_H_
#define LINESIGN_HSM_X509_CERTIFICATE_FACTS_H_

#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/bytes.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"

namespace linesign {

struct CertificateFacts {
  Bytes subject;             // Name, DER
  Bytes spki;                // SubjectPublicKeyInfo, DER
  std::string signed_with;   // OpenSSL's short name: "ecdsa-with-SHA256", "RSA-SHA256"
  std::string key;           // "P-256", "RSA-2048", or another algorithm's name and bits
  std::string subject_text;  // RFC 2253, for people
  std::string common_name;   // UTF-8, the last one; empty: none
  UnixTime not_before{};     // 1970 where it cannot be read
  UnixTime not_after{};
};

Result<CertificateFacts> read_certificate_facts(ByteView der);

// `issuer` (DER) names itself as this certificate's issuer, and its key made the signature.
bool is_issued_by(ByteView der, ByteView issuer_der);

// All certificates in a PEM text, DER; none: an empty list.
std::vector<Bytes> parse_certificates(std::string_view pem);

}  // namespace linesign

#endif  // LINESIGN_HSM_X509_CERTIFICATE_FACTS_H_
