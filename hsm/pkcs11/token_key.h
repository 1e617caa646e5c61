// TokenKey: the CA key as an OpenSSL key whose operations run in the token, through libp11.
//
// libp11 waits for ever where a direct call returns an error. So Libp11Token is opened before the
// login (reading token information after it fails on some tokens), the login and a probe of the
// sessions are direct calls, and only then TokenKey is made. Signers do without it: SigningToken.
//
// Errors   HsmTokenNotFound, HsmKeyNotFound, HsmKeyAmbiguous; from take_openssl_error()
// Threads  open() in one; each make_signing_key() result belongs to one thread; all of them must be
//          gone before the module is closed
// Source   libp11 0.4.12
#ifndef LINESIGN_HSM_PKCS11_TOKEN_KEY_H_
#define LINESIGN_HSM_PKCS11_TOKEN_KEY_H_

#include <filesystem>
#include <memory>

#include "hsm/pkcs11/ca_key.h"
#include "hsm/pkcs11/signing_key.h"
#include "hsm/pkcs11/slot.h"

namespace linesign {

class Libp11Token final {
 public:
  static Result<Libp11Token> open(const std::filesystem::path& module, const TokenInfo& wanted);

 private:
  friend class TokenKey;
  struct State;
  explicit Libp11Token(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

class TokenKey final {
 public:
  // REQUIRES: this process is logged in to the token; `key` was found by find_ca_key().
  static Result<TokenKey> open(const Libp11Token& token, const CaKey& key);

  // For certificates and CSRs that OpenSSL builds (the ceremony). Borrowed.
  EVP_PKEY* key() const;

  // One per thread.
  Result<std::unique_ptr<SigningKey>> make_signing_key() const;

 private:
  struct State;
  explicit TokenKey(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace linesign

#endif  // LINESIGN_HSM_PKCS11_TOKEN_KEY_H_
