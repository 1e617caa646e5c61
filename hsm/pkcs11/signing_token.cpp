#include "hsm/pkcs11/signing_token.h"

#include <fmt/format.h>

#include "hsm/pkcs11/token_signing_key.h"
#include "hsm/x509/openssl_error.h"

namespace linesign {
namespace {

Result<std::vector<TokenSession>> open_sessions(const Slot& slot, Access access, size_t count) {
  std::vector<TokenSession> sessions;
  for (size_t i = 0; i < count; ++i) {
    auto session = TokenSession::open(slot, access);
    if (!session && sessions.empty()) return fail(session.error());
    if (!session)
      return fail(session.error().with_context(
          fmt::format("only {} sessions of {} can be opened; use fewer signers or threads, or "
                      "close other users of the token",
                      i,
                      count)));
    sessions.push_back(std::move(*session));
  }
  return sessions;
}

// Opens the sessions that libp11 will want and lets all but the first one go.
Result<TokenSession> probe_sessions(const Slot& slot, Access access, int spare_sessions) {
  LS_TRY(std::vector<TokenSession> sessions,
         open_sessions(slot, access, static_cast<size_t>(spare_sessions) + 1));
  TokenSession first = std::move(sessions.front());
  for (size_t i = 1; i < sessions.size(); ++i) LS_CHECK(sessions[i].close());
  return first;
}

}  // namespace

Result<OpenToken> OpenToken::open(const std::filesystem::path& module,
                                  const TokenSelector& token,
                                  const SecretBytes& pin,
                                  Access access,
                                  int spare_sessions,
                                  const PinRule& rule) {
  LS_TRY(Module loaded, Module::load(module));
  LS_TRY(Slot slot, Slot::find(loaded, token));
  LS_TRY(Libp11Token libp11, Libp11Token::open(module, slot.token()));
  LS_TRY(TokenSession session, probe_sessions(slot, access, spare_sessions));
  LS_CHECK(session.login(pin, rule));
  return OpenToken(std::move(loaded), std::move(slot), std::move(libp11), std::move(session));
}

// In the order of their lifetimes.
struct SigningToken::State {
  Module module;
  Slot slot;
  TokenSession session;              // keeps the login
  std::vector<TokenSession> unused;  // for the keys of threads
  CaKey key{};
  KeyType type{};
};

Result<SigningToken> SigningToken::prepare(const std::filesystem::path& module,
                                           const TokenSelector& token,
                                           int threads) {
  LS_TRY(Module loaded, Module::load(module));
  LS_TRY(Slot slot, Slot::find(loaded, token));
  LS_TRY(std::vector<TokenSession> sessions,
         open_sessions(slot, Access::ReadOnly, static_cast<size_t>(threads) + 1));
  TokenSession first = std::move(sessions.back());
  sessions.pop_back();
  return SigningToken(std::make_shared<State>(State{.module = std::move(loaded),
                                                    .slot = std::move(slot),
                                                    .session = std::move(first),
                                                    .unused = std::move(sessions)}));
}

Result<void> SigningToken::login(const SecretBytes& pin, const PinRule& rule) {
  return state_->session.login(pin, rule);
}

Result<void> SigningToken::choose_key(const KeySelector& key, KeyType type) {
  LS_TRY(CaKey found, find_ca_key(state_->session, key));
  LS_CHECK(check_key_attributes(found));
  if (found.type != type)
    return fail(ErrorCode::HsmKeyMismatch,
                fmt::format("the key '{}' is of type {}, the CA certificate's of type {}",
                            found.label,
                            key_type_text(found),
                            to_string(type)));
  LS_CHECK(check_mechanisms(state_->slot, type, KeyUse::Sign));
  state_->key = std::move(found);
  state_->type = type;
  return {};
}

Result<void> SigningToken::check_public_key(const CaCertificate& ca) {
  LS_TRY(const EvpKey key, read_public_key(state_->session, state_->key));
  const bool is_same = EVP_PKEY_eq(key.get(), ca.public_key()) == 1;
  clear_openssl_errors();
  if (is_same) return {};
  return fail(ErrorCode::HsmKeyMismatch,
              fmt::format("the public key of '{}' in the token and the CA certificate '{}'",
                          state_->key.label,
                          ca.subject_text()));
}

Result<SigningToken> SigningToken::open(const std::filesystem::path& module,
                                        const TokenSelector& token,
                                        const KeySelector& key,
                                        KeyType type,
                                        const SecretBytes& pin,
                                        int threads) {
  LS_TRY(SigningToken open, prepare(module, token, threads));
  LS_CHECK(open.login(pin));
  LS_CHECK(open.choose_key(key, type));
  return open;
}

const TokenInfo& SigningToken::token() const { return state_->slot.token(); }

Result<std::unique_ptr<SigningKey>> SigningToken::make_signing_key() const {
  if (state_->unused.empty()) {
    LS_TRY(state_->unused, open_sessions(state_->slot, Access::ReadOnly, 1));
  }
  TokenSession session = std::move(state_->unused.back());
  state_->unused.pop_back();
  return std::unique_ptr<SigningKey>(std::make_unique<TokenSigningKey>(
      state_, std::move(session), state_->key.private_key, state_->type));
}

}  // namespace linesign
