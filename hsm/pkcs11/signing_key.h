// SigningKey: the one thing a signer needs from the HSM, so that everything else is testable
// without one.
//
// Threads  one SigningKey per thread
#ifndef LINESIGN_HSM_PKCS11_SIGNING_KEY_H_
#define LINESIGN_HSM_PKCS11_SIGNING_KEY_H_

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

namespace linesign {

class SigningKey {
 public:
  SigningKey() = default;
  SigningKey(const SigningKey&) = delete;
  SigningKey& operator=(const SigningKey&) = delete;
  virtual ~SigningKey() = default;

  // `digest` with signature_digest() of the CA key. The result is what stands in a certificate's
  // signatureValue: DER ECDSA-Sig-Value, or an RSA PKCS#1 v1.5 signature. It is not verified yet.
  // Errors: Hsm*; recovery_of() says what helps.
  virtual Result<Bytes> sign(ByteView digest) = 0;
};

}  // namespace linesign

#endif  // LINESIGN_HSM_PKCS11_SIGNING_KEY_H_
