// SigningToken: a token, logged in once, with the CA key found, checked and ready to sign.
//
// Errors   Hsm*; is_transient_at_start() says which are worth another open()
// Threads  open(), login(), make_signing_key() and close in one thread; one SigningKey per thread
#ifndef LINESIGN_HSM_PKCS11_SIGNING_TOKEN_H_
#define LINESIGN_HSM_PKCS11_SIGNING_TOKEN_H_

#include <filesystem>
#include <memory>
#include <vector>

#include "hsm/pkcs11/ca_key.h"
#include "hsm/pkcs11/key_generation.h"
#include "hsm/pkcs11/token_key.h"
#include "hsm/x509/ca_certificate.h"
#include "protocol/base/secret.h"

namespace linesign {

// A token that is logged in, before a key is chosen: for ceremonies, which build certificates with
// OpenSSL and so need libp11.
class OpenToken final {
 public:
  // Loads the module, finds the token, opens `spare_sessions` and one more to be sure that libp11
  // will get its own, and logs in with one try.
  static Result<OpenToken> open(const std::filesystem::path& module,
                                const TokenSelector& token,
                                const SecretBytes& pin,
                                Access access,
                                int spare_sessions,
                                const PinRule& rule = {});

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
  // Everything before the login: the module is loaded, the token found, and all the sessions are
  // open that it will sign with, one for each thread and one more. No PIN is tried.
  static Result<SigningToken> prepare(const std::filesystem::path& module,
                                      const TokenSelector& token,
                                      int threads);

  // One try. Then this process is logged in.
  Result<void> login(const SecretBytes& pin, const PinRule& rule = {});

  // After the login. The key must have the attributes of check_key_attributes() and be of type
  // `type` (HsmKeyMismatch), and the token the mechanisms that it needs.
  Result<void> choose_key(const KeySelector& key, KeyType type);

  // After choose_key(): the public key that the token holds is the certificate's (HsmKeyMismatch).
  Result<void> check_public_key(const CaCertificate& ca);

  // All three.
  static Result<SigningToken> open(const std::filesystem::path& module,
                                   const TokenSelector& token,
                                   const KeySelector& key,
                                   KeyType type,
                                   const SecretBytes& pin,
                                   int threads);

  const TokenInfo& token() const;
  // REQUIRES: choose_key() has succeeded. It keeps the module loaded.
  Result<std::unique_ptr<SigningKey>> make_signing_key() const;

 private:
  struct State;
  explicit SigningToken(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace linesign

#endif  // LINESIGN_HSM_PKCS11_SIGNING_TOKEN_H_
