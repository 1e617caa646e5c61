// SigningToken: a token, logged in once, with the CA key found, checked and ready to sign.
//
// Errors   Hsm*; is_transient_at_start() says which are worth another open()
// Threads  open() and close() in one thread; one SigningKey per thread
#ifndef LINESIGN_HSM_PKCS11_SIGNING_TOKEN_H_
#define LINESIGN_HSM_PKCS11_SIGNING_TOKEN_H_

#include <filesystem>
#include <memory>

#include "hsm/pkcs11/ca_key.h"
#include "hsm/pkcs11/key_generation.h"
#include "hsm/pkcs11/token_key.h"
#include "protocol/base/secret.h"

namespace linesign {

// A token that is logged in, before a key is chosen.
class OpenToken final {
 public:
  // Loads the module, finds the token, opens `spare_sessions` and one more to be sure that libp11
  // will get its own, and logs in with one try.
  static Result<OpenToken> open(const std::filesystem::path& module,
                                const TokenSelector& token,
                                const SecretBytes& pin,
                                Access access,
                                int spare_sessions);

  const Module& module() const { return module_; }
  const Slot& slot() const { return slot_; }
  TokenSession& session() { return session_; }
  const Libp11Token& libp11() const { return libp11_; }

 private:
  OpenToken(Module module, Slot slot, Libp11Token libp11, TokenSession session)
      : module_(std::move(module)),
        slot_(std::move(slot)),
        libp11_(std::move(libp11)),
        session_(std::move(session)) {}

  // In the order of their lifetimes.
  Module module_;
  Slot slot_;
  Libp11Token libp11_;
  TokenSession session_;  // keeps the login
};

class SigningToken final {
 public:
  // The key must have the attributes of check_key_attributes() and be of type `type`
  // (HsmKeyMismatch), and the token the mechanisms that it needs.
  static Result<SigningToken> open(const std::filesystem::path& module,
                                   const TokenSelector& token,
                                   const KeySelector& key,
                                   KeyType type,
                                   const SecretBytes& pin,
                                   int threads);

  const TokenInfo& token() const { return token_.slot().token(); }
  Result<std::unique_ptr<SigningKey>> make_signing_key() const { return key_.make_signing_key(); }

 private:
  SigningToken(OpenToken token, TokenKey key) : token_(std::move(token)), key_(std::move(key)) {}

  OpenToken token_;
  TokenKey key_;
};

}  // namespace linesign

#endif  // LINESIGN_HSM_PKCS11_SIGNING_TOKEN_H_
