// CertificateForm: the three kinds of certificate of the station CA, as one table of extensions.
//
// Not on any hot path, so OpenSSL's X509 functions do the work.
//
// Shape    X.509 v3; 16-byte random serial, ecdsa-with-SHA256
// Errors   CryptoFailed
// Source   RFC 5280 section 4.2
#ifndef LINESIGN_APPLIANCE_ENROLLMENT_CERTIFICATE_FORM_H_
#define LINESIGN_APPLIANCE_ENROLLMENT_CERTIFICATE_FORM_H_

#include <string>

#include "hsm/x509/handles.h"
#include "protocol/base/bytes.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"

namespace linesign {

enum class CertificateForm : uint8_t { StationCa, Server, Station };

struct CertificateOrder {
  CertificateForm form = CertificateForm::Station;
  std::string common_name;
  UnixTime not_before{};
  UnixTime not_after{};
  EVP_PKEY* subject_key = nullptr;  // borrowed
  EVP_PKEY* issuer_key = nullptr;   // borrowed
  X509* issuer = nullptr;           // borrowed; null: self-signed
};

Result<X509Certificate> make_certificate(const CertificateOrder& order);

// The name that stations insist on in the server's certificate.
constexpr const char* kServerName = "linesign-appliance";

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ENROLLMENT_CERTIFICATE_FORM_H_
