// Key proof: that the key in the token signs for a certificate, shown by a signature.
//
// What is signed names itself: the ASCII text "linesign key proof, pid 4711", without a line break.
// It is no DER, so it can be nothing of a certificate, and holds nothing random: from the log of an
// HSM anybody can tell these signatures from those of certificates, and which process asked.
//
// Attributes are not enough: with two objects of one id, libp11 and the token can mean two keys.
#ifndef LINESIGN_HSM_PKCS11_KEY_PROOF_H_
#define LINESIGN_HSM_PKCS11_KEY_PROOF_H_

#include <string>

#include "hsm/pkcs11/signing_key.h"
#include "hsm/x509/ca_certificate.h"

namespace linesign {

std::string key_proof_text(int pid);

// Signs the text of this process. HsmSignatureWrong: it does not verify with the key of the CA
// certificate; or the error of the signature. REQUIRES: the token's public key is known to be the
// certificate's, so that a wrong signature is the token's fault.
Result<void> prove_key(SigningKey& key, const CaCertificate& ca);

}  // namespace linesign

#endif  // LINESIGN_HSM_PKCS11_KEY_PROOF_H_
