// Verification certificate: the proof to AWS IoT that the holder of a CA certificate has its key.
//
// AWS names a code; the CA key signs a certificate whose common name is that code. It is valid for
// a few hours, and nobody keeps its own key.
//
// Errors   Hsm*, CaCertificateMismatch, InputInvalid: not a code; CryptoFailed
// Source   AWS IoT Developer Guide, "Register a CA certificate in DEFAULT mode"; RFC 5280
#ifndef LINESIGN_HSM_CEREMONY_VERIFICATION_CERTIFICATE_H_
#define LINESIGN_HSM_CEREMONY_VERIFICATION_CERTIFICATE_H_

#include <chrono>
#include <string>
#include <string_view>

#include "hsm/signer/settings.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"

namespace linesign {

constexpr std::chrono::hours kVerificationValidity{12};
constexpr std::chrono::minutes kVerificationBackdate{15};  // for a clock that is ahead of AWS's

// PEM. Logs in once, under the login lock, and closes the token again.
Result<std::string> make_verification_certificate(const SignerSettings& settings,
                                                  std::string_view registration_code,
                                                  UnixTime now);

}  // namespace linesign

#endif  // LINESIGN_HSM_CEREMONY_VERIFICATION_CERTIFICATE_H_
