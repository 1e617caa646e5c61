// Key proof: that the key in the token is the key of a certificate, shown by a signature.
//
// Attributes are not enough: with two objects of one id, libp11 and the token can mean two keys.
#ifndef LINESIGN_HSM_PKCS11_KEY_PROOF_H_
#define LINESIGN_HSM_PKCS11_KEY_PROOF_H_

#include "hsm/pkcs11/signing_key.h"
#include "hsm/x509/ca_certificate.h"

namespace linesign {

// Signs random bytes and verifies with the key of the CA certificate. HsmKeyMismatch, or the error
// of the signature.
Result<void> prove_key(SigningKey& key, const CaCertificate& ca);

}  // namespace linesign

#endif  // LINESIGN_HSM_PKCS11_KEY_PROOF_H_
