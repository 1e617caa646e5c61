// TlsContext: what one side of a connection insists on before it trusts the other. TLS 1.3 only.
//
// Appliance   ALPN "linesign/1" demands a client certificate: signed by the station CA itself, in
//             date, EKU clientAuth. ALPN "linesign-enroll/1" asks for none. Any other ALPN, or
//             none, is refused with the alert no_application_protocol
// Station     trusts exactly one CA; the appliance's certificate has EKU serverAuth and the DNS
//             name linesign-appliance
// Enrolment   the same, but the CA is the one in the appliance's chain with the token's fingerprint
// Never       session tickets, resumption, early data, older versions
// Errors      CryptoFailed with OpenSSL's reason: a certificate or key cannot be used
// Threads     immutable and shared; copies are cheap
// Source      docs/station-protocol.md; RFC 8446; RFC 7301
#ifndef LINESIGN_STATIONS_TRANSPORT_TLS_CONTEXT_H_
#define LINESIGN_STATIONS_TRANSPORT_TLS_CONTEXT_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "protocol/base/ids.h"
#include "protocol/base/result.h"

struct ssl_ctx_st;

namespace linesign {

constexpr std::string_view kStationAlpn = "linesign/1";
constexpr std::string_view kEnrollmentAlpn = "linesign-enroll/1";
constexpr std::string_view kApplianceDnsName = "linesign-appliance";

// Borrowed PEM text: the certificate, then what stands above it; its private key, not encrypted.
struct TlsCredential {
  std::string_view certificate_pem;
  std::string_view private_key_pem;
};

class TlsContext final {
 public:
  enum class Role : uint8_t { Appliance, Station, Enrollment };

  static Result<TlsContext> for_appliance(const TlsCredential& own,
                                          std::string_view station_ca_pem);
  static Result<TlsContext> for_station(const TlsCredential& own, std::string_view station_ca_pem);
  static Result<TlsContext> for_enrollment(const Sha256& ca_fingerprint);

  Role role() const { return role_; }
  ssl_ctx_st* native() const { return context_.get(); }  // for TlsEngine

 private:
  TlsContext(Role role, std::shared_ptr<ssl_ctx_st> context)
      : role_(role), context_(std::move(context)) {}

  Role role_;
  std::shared_ptr<ssl_ctx_st> context_;
};

}  // namespace linesign

#endif  // LINESIGN_STATIONS_TRANSPORT_TLS_CONTEXT_H_
