#include "hsm/signer/token_settings.h"

#include <cstdlib>
#include <optional>

#include <fmt/format.h>

#include "hsm/pkcs11/uri.h"

namespace linesign {
namespace {

constexpr size_t kMaxKeyIdBytes = 255;
constexpr size_t kMaxLabelBytes = 255;

Result<std::string> read_name(const SettingsTable& table, std::string_view key) {
  if (key.empty()) return std::string();
  LS_TRY(std::string text, table.text(key, ""));
  if (text.size() > kMaxLabelBytes)
    return fail(table.error_at(
        key, ErrorCode::ConfigRange, fmt::format("at most {} bytes", kMaxLabelBytes)));
  return text;
}

// A URI names what it names; the same thing said twice could differ.
Result<void> check_no_other_choice(const SettingsTable& table, const TokenKeyNames& names) {
  for (const std::string_view key : {names.label, names.serial, names.key_label, names.key_id}) {
    if (!key.empty() && table.has(key))
      return fail(table.error_at(
          key, ErrorCode::ConfigConflict, "not allowed beside uri, which names token and key"));
  }
  return {};
}

Result<std::optional<Pkcs11Uri>> read_uri(const SettingsTable& table, const TokenKeyNames& names) {
  LS_TRY(const std::string text, table.text("uri", ""));
  if (text.empty()) return std::optional<Pkcs11Uri>();
  auto uri = parse_pkcs11_uri(text);
  if (!uri) return fail(table.error_at("uri", ErrorCode::ConfigRange, uri.error().detail()));
  LS_CHECK(check_no_other_choice(table, names));
  return std::optional<Pkcs11Uri>(std::move(*uri));
}

Result<void> read_choice(const SettingsTable& table,
                         const TokenKeyNames& names,
                         TokenSettings& settings) {
  LS_TRY(settings.token_label, read_name(table, names.label));
  LS_TRY(settings.token_serial, read_name(table, names.serial));
  LS_TRY(settings.key_label, read_name(table, names.key_label));
  LS_TRY(settings.key_id_hex, read_name(table, names.key_id));
  const auto id = from_hex(settings.key_id_hex);
  if (!id || id->size() > kMaxKeyIdBytes)
    return fail(table.error_at(
        names.key_id, ErrorCode::ConfigRange, "an even number of hex digits, at most 255 bytes"));
  settings.key_id_hex = to_hex(*id);
  return {};
}

// systemd names the folder of a unit's credentials only in its environment. A tool that runs
// outside the unit keeps the name as it stands; opening it says what is missing.
std::filesystem::path credential_path(const std::string& name) {
  const char* folder = ::secure_getenv("CREDENTIALS_DIRECTORY");
  return std::filesystem::path(folder != nullptr ? folder : "$CREDENTIALS_DIRECTORY") / name;
}

Result<std::filesystem::path> read_pin_file(const SettingsTable& table, const Pkcs11Uri& uri) {
  LS_TRY(std::filesystem::path file, table.path("pin_file", ""));
  LS_TRY(const std::string credential, table.text("pin_credential", ""));
  if (!file.empty() && !credential.empty())
    return fail(table.error_at("pin_credential",
                               ErrorCode::ConfigConflict,
                               "pin_file and pin_credential exclude each other"));
  if (!credential.empty()) {
    if (credential.find('/') != std::string::npos || credential.front() == '.')
      return fail(table.error_at(
          "pin_credential", ErrorCode::ConfigRange, "the name of a credential, not a path"));
    return credential_path(credential);
  }
  if (file.empty()) file = uri.pin_source;
  if (file.empty())
    return fail(table.error_at(
        "pin_file", ErrorCode::ConfigMissing, "required: pin_file or pin_credential"));
  return file;
}

}  // namespace

Result<TokenSettings> read_key_choice(const SettingsTable& table, const TokenKeyNames& names) {
  TokenSettings settings;
  LS_CHECK(read_choice(table, names, settings));
  return settings;
}

Result<TokenSettings> read_token_settings(const SettingsTable& table, const TokenKeyNames& names) {
  TokenSettings settings;
  LS_TRY(const auto uri, read_uri(table, names));
  LS_CHECK(read_choice(table, names, settings));
  if (uri) {
    settings.token_label = uri->token;
    settings.token_serial = uri->serial;
    settings.key_label = uri->object;
    settings.key_id_hex = to_hex(uri->id);
  }
  if (settings.token_label.empty() && settings.token_serial.empty())
    return fail(table.error_at(
        names.label,
        ErrorCode::ConfigMissing,
        fmt::format("required: {}, {}, or a uri with token or serial", names.label, names.serial)));
  LS_TRY(settings.module, table.path("module", uri ? uri->module_path : ""));
  // dlopen() searches the system's folders for a name without a slash.
  if (!settings.module.empty()) settings.module = std::filesystem::absolute(settings.module);
  if (settings.module.empty())
    return fail(table.error_at(
        "module", ErrorCode::ConfigMissing, "required: the path of the PKCS#11 module"));
  LS_TRY(settings.pin_file, read_pin_file(table, uri.value_or(Pkcs11Uri{})));
  return settings;
}

}  // namespace linesign
