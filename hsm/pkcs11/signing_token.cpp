#include "hsm/pkcs11/signing_token.h"

#include <fmt/format.h>

namespace linesign {
namespace {

// Opens the sessions that libp11 will want and lets all but the first one go.
Result<TokenSession> probe_sessions(const Slot& slot, Access access, int spare_sessions) {
  LS_TRY(TokenSession first, TokenSession::open(slot, access));
  std::vector<TokenSession> spare;
  for (int i = 0; i < spare_sessions; ++i) {
    auto session = TokenSession::open(slot, access);
    if (!session)
      return fail(session.error().with_context(
          fmt::format("only {} sessions of {} can be opened; use fewer signers or threads, or "
                      "close other users of the token",
                      i + 1,
                      spare_sessions + 1)));
    spare.push_back(std::move(*session));
  }
  for (TokenSession& session : spare) LS_CHECK(session.close());
  return first;
}

}  // namespace

Result<OpenToken> OpenToken::open(const std::filesystem::path& module,
                                  const TokenSelector& token,
                                  const SecretBytes& pin,
                                  Access access,
                                  int spare_sessions) {
  LS_TRY(Module loaded, Module::load(module));
  LS_TRY(Slot slot, Slot::find(loaded, token));
  LS_TRY(Libp11Token libp11, Libp11Token::open(module, slot.token()));
  LS_TRY(TokenSession session, probe_sessions(slot, access, spare_sessions));
  LS_CHECK(session.login(pin));
  return OpenToken(std::move(loaded), std::move(slot), std::move(libp11), std::move(session));
}

Result<SigningToken> SigningToken::open(const std::filesystem::path& module,
                                        const TokenSelector& token,
                                        const KeySelector& key,
                                        KeyType type,
                                        const SecretBytes& pin,
                                        int threads) {
  LS_TRY(OpenToken open, OpenToken::open(module, token, pin, Access::ReadOnly, threads));
  LS_TRY(const CaKey found, find_ca_key(open.session(), key));
  LS_CHECK(check_key_attributes(found));
  if (found.type != type)
    return fail(ErrorCode::HsmKeyMismatch,
                fmt::format("the key '{}' is of type {}, the CA certificate's of type {}",
                            found.label,
                            key_type_text(found),
                            to_string(type)));
  LS_CHECK(check_mechanisms(open.slot(), type, KeyUse::Sign));
  LS_TRY(TokenKey token_key, TokenKey::open(open.libp11(), found));
  return SigningToken(std::move(open), std::move(token_key));
}

}  // namespace linesign
