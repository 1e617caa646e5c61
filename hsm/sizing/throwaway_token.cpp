#include "hsm/sizing/throwaway_token.h"

#include <array>
#include <cstdlib>
#include <system_error>

#include <fmt/format.h>
#include <openssl/rand.h>

#include "hsm/ceremony/ceremony.h"
#include "hsm/ceremony/config_lines.h"
#include "hsm/pkcs11/token_setup.h"
#include "hsm/x509/openssl_error.h"
#include "protocol/base/file.h"

namespace linesign {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLabel = "linesign-throwaway";
constexpr std::string_view kKeyLabel = "device-ca";
constexpr std::string_view kManufacturer = "SoftHSM project";
constexpr mode_t kPrivateFolder = 0700;
constexpr mode_t kPrivateFile = 0600;
constexpr mode_t kSecretFile = 0400;
constexpr size_t kPinBytes = 12;  // twice as many digits

constexpr std::string_view kTokens = "tokens";
constexpr std::string_view kConf = "softhsm2.conf";
constexpr std::string_view kPin = "pin";
constexpr std::string_view kCeremony = "ceremony.toml";
constexpr std::string_view kCertificate = "ca.pem";
constexpr std::string_view kTranscript = "ca-transcript.txt";
constexpr std::string_view kLock = "login.lock";  // of those who use it
constexpr std::array kNames = {kTokens, kConf, kPin, kCeremony, kCertificate, kTranscript, kLock};

Result<SecretBytes> draw_pin() {
  std::array<uint8_t, kPinBytes> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1)
    return fail(openssl_error("drawing a PIN"));
  std::string digits = to_hex(random);
  SecretBytes pin(to_bytes(digits));
  wipe(random);
  wipe({reinterpret_cast<uint8_t*>(digits.data()), digits.size()});
  return pin;
}

Result<void> check_unused(const fs::path& folder) {
  std::error_code error;
  for (const std::string_view name : kNames)
    if (fs::exists(folder / name, error))
      return fail(ErrorCode::FileExists, (folder / name).string());
  return {};
}

Result<void> write_text(const fs::path& file, std::string_view text, mode_t mode) {
  return write_file_atomic(file, as_bytes(text), mode, Overwrite::Refuse, Durability::Renamed);
}

// softhsm2.conf has no quotes: the rest of the line is the path.
Result<void> write_conf(const fs::path& folder) {
  if (folder.string().find('\n') != std::string::npos)
    return fail(ErrorCode::InputInvalid, "a line break in the name of the folder");
  return write_text(
      folder / kConf,
      fmt::format("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
                  (folder / kTokens).string()),
      kPrivateFile);
}

Result<void> init_blank_token(const fs::path& folder, const fs::path& module) {
  BlankTokenSetup setup;
  setup.label = kLabel;
  setup.manufacturer = kManufacturer;
  LS_TRY(setup.officer_pin, draw_pin());
  LS_TRY(setup.user_pin, draw_pin());
  LS_CHECK(write_file_atomic(
      folder / kPin, setup.user_pin.reveal(), kSecretFile, Overwrite::Refuse, Durability::Renamed));
  LS_TRY(Module loaded, Module::load(module));
  LS_CHECK(set_up_blank_token(loaded, setup));
  return loaded.close();
}

Result<CeremonyReport> hold_ceremony(const fs::path& folder,
                                     const fs::path& module,
                                     KeyType ca_key) {
  const std::string text = fmt::format(
      "[token]\nmodule = {}\nlabel = {}\npin_file = {}\n\n[key]\ntype = \"{}\"\nlabel = {}\n\n"
      "[ca]\nkind = \"root\"\nsubject = [\"O=linesign\", \"CN=linesign throwaway CA\"]\n"
      "validity = \"30y\"\n\n[output]\ncertificate = {}\ntranscript = {}\n",
      toml_text(module.string()),
      toml_text(kLabel),
      toml_text(kPin),
      to_string(ca_key),
      toml_text(kKeyLabel),
      toml_text(kCertificate),
      toml_text(kTranscript));
  LS_CHECK(write_text(folder / kCeremony, text, kPrivateFile));
  LS_TRY(const CeremonyPlan plan, load_ceremony(folder / kCeremony));
  return init_ca(plan, {});
}

// Errors show when a login rewrites the token, or when the folder cannot be removed.
void change_write_permission(const fs::path& tokens, fs::perm_options how) {
  constexpr fs::perms kWrite =
      fs::perms::owner_write | fs::perms::group_write | fs::perms::others_write;
  const fs::perms which = how == fs::perm_options::add ? fs::perms::owner_write : kWrite;
  std::error_code error;
  fs::permissions(tokens, which, how, error);
  for (const auto& entry : fs::recursive_directory_iterator(tokens, error))
    fs::permissions(entry.path(), which, how, error);
}

Result<ThrowawayToken> make_in(const fs::path& folder, const fs::path& module, KeyType ca_key) {
  LS_CHECK(make_directories(folder / kTokens, kPrivateFolder));
  LS_CHECK(write_conf(folder));
  ThrowawayToken made;
  made.folder = folder;
  made.softhsm_conf = folder / kConf;
  use_throwaway_token(made);
  LS_CHECK(init_blank_token(folder, module));
  LS_TRY(CeremonyReport report, hold_ceremony(folder, module, ca_key));
  change_write_permission(folder / kTokens, fs::perm_options::remove);
  made.token.module = module;
  made.token.token_label = report.token_label;
  made.token.token_serial = report.token_serial;
  made.token.key_label = report.key_label;
  made.token.pin_file = folder / kPin;
  made.ca_certificate = folder / kCertificate;
  made.config_lines = std::move(report.config_lines);
  return made;
}

Result<void> remove_files(const fs::path& folder) {
  change_write_permission(folder / kTokens, fs::perm_options::add);
  std::error_code error;
  for (const std::string_view name : kNames) {
    fs::remove_all(folder / name, error);
    if (error)
      return fail(ErrorCode::Io, fmt::format("{}: {}", (folder / name).string(), error.message()));
  }
  fs::remove(folder, error);  // stays when something else is in it
  return {};
}

}  // namespace

Result<ThrowawayToken> make_throwaway_token(const ThrowawaySettings& settings) {
  const fs::path folder = fs::absolute(settings.folder).lexically_normal();
  LS_CHECK(check_unused(folder));
  auto made = make_in(folder, fs::absolute(settings.module), settings.ca_key);
  if (!made) static_cast<void>(remove_files(folder).has_value());
  return made;
}

void use_throwaway_token(const ThrowawayToken& token) {
  ::setenv("SOFTHSM2_CONF", token.softhsm_conf.c_str(), 1);
}

Result<void> remove_throwaway_token(const ThrowawayToken& token) {
  if (!token.folder.is_absolute())
    return fail(ErrorCode::InputInvalid, "not a token that make_throwaway_token() made");
  return remove_files(token.folder);
}

}  // namespace linesign
