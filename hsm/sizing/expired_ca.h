// Expired CA: what stands for a CA while its HSM is measured, so that the signatures are worthless.
//
// A measurement makes thousands of true signatures of a CA key. They are harmless because of what
// they sign: certificates whose issuer is "CN=linesign sizing: not a CA", a name that no CA has,
// and that ended in 1970. Nobody can chain them, and they expired before the key existed. They are
// thrown away besides.
//
// Source   RFC 5280 sections 4.1.2.5, 6.1.3
#ifndef LINESIGN_HSM_SIZING_EXPIRED_CA_H_
#define LINESIGN_HSM_SIZING_EXPIRED_CA_H_

#include "hsm/x509/ca_certificate.h"
#include "hsm/x509/profile.h"

namespace linesign {

// 1970-01-01T12:00:00Z: when everything that a measurement signs was issued.
constexpr UnixTime kSizingTime{std::chrono::hours(12)};

// The public key of `ca` under a name and a validity (1970-01-01, one day) that serve no one.
Result<CaCertificate> make_expired_ca(const CaCertificate& ca);

// The default profile, but valid for one hour from kSizingTime on.
Profile sizing_profile();

}  // namespace linesign

#endif  // LINESIGN_HSM_SIZING_EXPIRED_CA_H_
