// Token settings: the keys that choose module, token, key and PIN file; [hsm] of linesign.toml and
// [token] of a ceremony file name them alike but for two.
//
// Errors   Config* with file:line: missing, both uri and its parts, both PIN keys
#ifndef LINESIGN_HSM_SIGNER_TOKEN_SETTINGS_H_
#define LINESIGN_HSM_SIGNER_TOKEN_SETTINGS_H_

#include <string_view>

#include "hsm/signer/settings.h"

namespace linesign {

// How the table calls its keys; an empty name: the table has no such key.
struct TokenKeyNames {
  std::string_view label;
  std::string_view serial;
  std::string_view key_label;
  std::string_view key_id;
};

// module, uri, pin_file and pin_credential are called so everywhere. A `pkcs11:` URI stands in
// place of label, serial, key label and key id; its module-path and pin-source count where the
// table has no key for them.
Result<TokenSettings> read_token_settings(const SettingsTable& table, const TokenKeyNames& names);

// Label and id of the key alone, for a table that leaves the token to another one.
Result<TokenSettings> read_key_choice(const SettingsTable& table, const TokenKeyNames& names);

}  // namespace linesign

#endif  // LINESIGN_HSM_SIGNER_TOKEN_SETTINGS_H_
