#include "hsm/pkcs11/token_key.h"

#include <fmt/format.h>
#include <libp11.h>
#include <openssl/rsa.h>

#include "hsm/pkcs11/openssl_errors.h"
#include "hsm/x509/ca_certificate.h"
#include "hsm/x509/openssl_error.h"

namespace linesign {

// Freed in the one order that libp11 survives: slots, then the module, then the context.
struct Libp11Token::State {
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (slots != nullptr) PKCS11_release_all_slots(context, slots, slot_count);
    if (loaded) PKCS11_CTX_unload(context);
    if (context != nullptr) PKCS11_CTX_free(context);
  }

  PKCS11_CTX* context = nullptr;
  bool loaded = false;
  PKCS11_SLOT* slots = nullptr;
  unsigned int slot_count = 0;
  PKCS11_TOKEN* token = nullptr;  // in slots
};

namespace {

bool same_text(const char* text, const std::string& wanted) {
  return text != nullptr && wanted == text;
}

// Signs through libp11, for one thread.
class OpenSslSigningKey final : public SigningKey {
 public:
  OpenSslSigningKey(std::shared_ptr<const void> owner, EvpKeyContext context, size_t limit)
      : owner_(std::move(owner)), context_(std::move(context)), limit_(limit) {}

  Result<Bytes> sign(ByteView digest) override {
    Bytes signature(limit_);
    size_t size = signature.size();
    clear_openssl_errors();
    if (EVP_PKEY_sign(context_.get(), signature.data(), &size, digest.data(), digest.size()) != 1)
      return fail(take_openssl_error("C_Sign"));
    signature.resize(size);
    return signature;
  }

 private:
  std::shared_ptr<const void> owner_;  // the key and its token live as long as this
  EvpKeyContext context_;
  size_t limit_;
};

Result<EVP_PKEY*> find_private_key(PKCS11_TOKEN* token, const CaKey& wanted) {
  PKCS11_KEY* keys = nullptr;
  unsigned int count = 0;
  clear_openssl_errors();
  if (PKCS11_enumerate_keys(token, &keys, &count) != 0)
    return fail(take_openssl_error("PKCS11_enumerate_keys")
                    .with_context("a key of an unknown kind in the token may be the reason"));
  PKCS11_KEY* found = nullptr;
  for (PKCS11_KEY* key = keys; key != keys + count; ++key) {
    const bool same = key->isPrivate != 0 && same_text(key->label, wanted.label) &&
                      equal(ByteView(key->id, key->id_len), wanted.id);
    if (!same) continue;
    if (found != nullptr) return fail(ErrorCode::HsmKeyAmbiguous, wanted.label);
    found = key;
  }
  if (found == nullptr) return fail(ErrorCode::HsmKeyNotFound, wanted.label);
  EVP_PKEY* key = PKCS11_get_private_key(found);
  if (key == nullptr) return fail(take_openssl_error("PKCS11_get_private_key"));
  return key;
}

}  // namespace

Result<Libp11Token> Libp11Token::open(const std::filesystem::path& module,
                                      const TokenInfo& wanted) {
  auto state = std::make_shared<State>();
  clear_openssl_errors();
  state->context = PKCS11_CTX_new();
  if (state->context == nullptr) return fail(take_openssl_error("PKCS11_CTX_new"));
  if (PKCS11_CTX_load(state->context, module.c_str()) != 0)
    return fail(take_openssl_error("PKCS11_CTX_load"));
  state->loaded = true;
  clear_openssl_errors();
  if (PKCS11_enumerate_slots(state->context, &state->slots, &state->slot_count) != 0)
    return fail(take_openssl_error("PKCS11_enumerate_slots"));
  for (unsigned int i = 0; i < state->slot_count; ++i) {
    PKCS11_TOKEN* token = state->slots[i].token;
    if (token == nullptr || token->initialized == 0) continue;
    if (!same_text(token->label, wanted.label) || !same_text(token->serialnr, wanted.serial))
      continue;
    if (state->token != nullptr)
      return fail(ErrorCode::HsmTokenAmbiguous,
                  fmt::format("label '{}', serial '{}'", wanted.label, wanted.serial));
    state->token = token;
  }
  if (state->token == nullptr)
    return fail(ErrorCode::HsmTokenNotFound,
                fmt::format("label '{}', serial '{}'", wanted.label, wanted.serial));
  return Libp11Token(std::move(state));
}

// Declared in this order: the key is freed before the slots are released.
struct TokenKey::State {
  std::shared_ptr<Libp11Token::State> token;
  KeyType type;
  EvpKey key;
};

Result<TokenKey> TokenKey::open(const Libp11Token& token, const CaKey& key) {
  if (!key.type) return fail(ErrorCode::HsmKeyUnsafe, "a kind of key that linesign does not know");
  LS_TRY(EVP_PKEY * found, find_private_key(token.state_->token, key));
  return TokenKey(std::make_shared<const State>(State{token.state_, *key.type, EvpKey(found)}));
}

EVP_PKEY* TokenKey::key() const { return state_->key.get(); }

Result<std::unique_ptr<SigningKey>> TokenKey::make_signing_key() const {
  clear_openssl_errors();
  EvpKeyContext context(EVP_PKEY_CTX_new(state_->key.get(), nullptr));
  if (!context || EVP_PKEY_sign_init(context.get()) != 1)
    return fail(take_openssl_error("EVP_PKEY_sign_init"));
  if (is_rsa(state_->type) && EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) != 1)
    return fail(take_openssl_error("EVP_PKEY_CTX_set_rsa_padding"));
  if (EVP_PKEY_CTX_set_signature_md(context.get(), signature_digest(state_->type)) != 1)
    return fail(take_openssl_error("EVP_PKEY_CTX_set_signature_md"));
  const int limit = EVP_PKEY_get_size(state_->key.get());
  if (limit <= 0) return fail(take_openssl_error("EVP_PKEY_get_size"));
  return std::unique_ptr<SigningKey>(
      std::make_unique<OpenSslSigningKey>(state_, std::move(context), static_cast<size_t>(limit)));
}

}  // namespace linesign
