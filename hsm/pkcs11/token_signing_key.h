// TokenSigningKey: signatures of a key in the token, by the module's own calls, on a session of its
// own. libp11 has no part in it: it waits for ever where C_OpenSession returns an error.
//
// Errors   from ckr_error(); HsmSignatureWrong for bytes that no signature has; Internal for a
//          digest of another length than the key wants
// Threads  one
// Source   PKCS#11 2.40 sections 2.1.9 (CKM_RSA_PKCS), 2.3.6 (CKM_ECDSA); RFC 8017 section 9.2
#ifndef LINESIGN_HSM_PKCS11_TOKEN_SIGNING_KEY_H_
#define LINESIGN_HSM_PKCS11_TOKEN_SIGNING_KEY_H_

#include <memory>

#include "hsm/pkcs11/signing_key.h"
#include "hsm/pkcs11/token_session.h"
#include "hsm/x509/key_type.h"

namespace linesign {

class TokenSigningKey final : public SigningKey {
 public:
  // `owner` keeps module and login alive.
  TokenSigningKey(std::shared_ptr<const void> owner,
                  TokenSession session,
                  CK_OBJECT_HANDLE key,
                  KeyType type);

  Result<Bytes> sign(ByteView digest) override;

 private:
  std::shared_ptr<const void> owner_;
  TokenSession session_;  // closed before its module
  CK_OBJECT_HANDLE key_;
  KeyType type_;
};

}  // namespace linesign

#endif  // LINESIGN_HSM_PKCS11_TOKEN_SIGNING_KEY_H_
