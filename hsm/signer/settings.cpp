#include "hsm/signer/settings.h"

#include "hsm/signer/token_settings.h"

namespace linesign {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr int64_t kMaxSigners = 256;
constexpr int64_t kMaxThreads = 16;  // more sessions: more signers

Result<void> read_pool(const SettingsTable& hsm, SignerSettings& settings) {
  LS_TRY(const int64_t signers, hsm.integer("signers", {0, kMaxSigners}, settings.signers));
  settings.signers = static_cast<int>(signers);
  LS_TRY(const int64_t threads,
         hsm.integer("threads_per_signer", {1, kMaxThreads}, settings.threads_per_signer));
  settings.threads_per_signer = static_cast<int>(threads);
  LS_TRY(settings.sign_timeout,
         hsm.duration("sign_timeout", {milliseconds(100), minutes(10)}, settings.sign_timeout));
  LS_TRY(settings.start_timeout,
         hsm.duration("start_timeout", {seconds(1), minutes(10)}, settings.start_timeout));
  LS_TRY(settings.login_lock, hsm.path("login_lock", "signer-login.lock"));
  return {};
}

// Where signers are of linesignd's user, a folder that this user writes to anyway and that a reboot
// keeps.
Result<void> read_pin_memory(const SettingsTable& root,
                             const SettingsTable& hsm,
                             SignerSettings& settings) {
  constexpr std::string_view kName = "pin-memory";
  LS_TRY(settings.pin_memory, hsm.path("pin_memory", kName));
  if (hsm.has("pin_memory") || !settings.user.empty()) return {};
  LS_TRY(const SettingsTable stations, root.table("stations"));
  LS_TRY(const auto folder, stations.path("credential_dir", "station-ca"));
  settings.pin_memory = folder / kName;
  return {};
}

Result<void> read_protections(const SettingsTable& hsm, SignerSettings& settings) {
  LS_TRY(settings.user, hsm.text("user", ""));
  // systemd gives it to the user of the unit, which is linesignd's.
  if (!settings.user.empty() && hsm.has("pin_credential"))
    return fail(hsm.error_at("pin_credential",
                             ErrorCode::ConfigConflict,
                             "signers with a user of their own cannot read it; use pin_file, with "
                             "a file that belongs to them"));
  LS_TRY(settings.module_network, hsm.boolean("module_network", false));
  LS_TRY(settings.module_paths, hsm.path_list("module_paths"));
  LS_TRY(settings.require_protections, hsm.boolean("require_protections", false));
  return {};
}

constexpr TokenKeyNames kTokenKeys = {
    .label = "token_label", .serial = "token_serial", .key_label = "key_label", .key_id = "key_id"};
constexpr std::string_view kManifestKeyLabel = "manifest";

// Asks for all of them, so that each is known.
bool names_a_token(const SettingsTable& manifest) {
  bool is_one_there = false;
  for (const std::string_view key :
       {"module", "uri", "token_label", "token_serial", "pin_file", "pin_credential"})
    is_one_there = manifest.has(key) || is_one_there;
  return is_one_there;
}

}  // namespace

Result<ManifestSettings> read_manifest_settings(const SettingsTable& root,
                                                const SignerSettings& signer) {
  ManifestSettings settings;
  LS_TRY(const SettingsTable manifest, root.table("manifest"));
  LS_TRY(settings.certificate, manifest.path("certificate", "manifest.pem"));
  if (names_a_token(manifest)) {
    LS_TRY(settings.token, read_token_settings(manifest, kTokenKeys));
  } else {
    settings.token = signer.token;
    LS_TRY(const TokenSettings key, read_key_choice(manifest, kTokenKeys));
    settings.token.key_label = key.key_label;
    settings.token.key_id_hex = key.key_id_hex;
  }
  if (settings.token.key_label.empty() && settings.token.key_id_hex.empty())
    settings.token.key_label = kManifestKeyLabel;
  const auto beside = settings.token.pin_file.parent_path() / "pin-memory";
  LS_TRY(settings.pin_memory, manifest.path("pin_memory", beside.string()));
  return settings;
}

Result<SignerSettings> read_signer_settings(const SettingsTable& root) {
  SignerSettings settings;
  LS_TRY(const SettingsTable hsm, root.table("hsm"));
  LS_TRY(settings.token, read_token_settings(hsm, kTokenKeys));
  if (settings.token.key_label.empty() && settings.token.key_id_hex.empty())
    return fail(hsm.error_at("key_label",
                             ErrorCode::ConfigMissing,
                             "required: key_label, key_id, or a uri with object or id"));
  LS_CHECK(read_pool(hsm, settings));
  LS_CHECK(read_protections(hsm, settings));
  LS_CHECK(read_pin_memory(root, hsm, settings));
  LS_TRY(const SettingsTable ca, root.table("ca"));
  LS_TRY(settings.ca_certificate, ca.path("certificate", "ca.pem"));
  LS_TRY(const SettingsTable profile, root.table("profile"));
  LS_TRY(settings.profile, read_profile(profile));
  return settings;
}

}  // namespace linesign
