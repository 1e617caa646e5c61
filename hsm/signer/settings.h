// SignerSettings: what a signer reads from linesign.toml by itself: [hsm], [ca] and [profile];
// and [stations] credential_dir, for the default of pin_memory.
//
// linesignd reads the same tables through this function for pool sizes and paths; it never opens
// the PIN file that they name.
#ifndef LINESIGN_HSM_SIGNER_SETTINGS_H_
#define LINESIGN_HSM_SIGNER_SETTINGS_H_

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "hsm/x509/profile.h"
#include "protocol/base/result.h"
#include "protocol/settings/settings_file.h"

namespace linesign {

struct TokenSettings {
  std::filesystem::path module;
  std::string token_label;
  std::string token_serial;  // empty: the label must be unique
  std::string key_label;
  std::string key_id_hex;          // empty: the label must be unique
  std::filesystem::path pin_file;  // from pin_file, or pin_credential in $CREDENTIALS_DIRECTORY
};

struct SignerSettings {
  TokenSettings token;
  int signers = 0;  // 0 = number of cores
  int threads_per_signer = 1;
  std::chrono::milliseconds sign_timeout = std::chrono::seconds(2);
  std::chrono::milliseconds start_timeout = std::chrono::seconds(10);
  std::filesystem::path login_lock;  // flock that serialises logins over processes
  std::filesystem::path pin_memory;  // folder: which PINs were tried
  std::string user;                  // of the signers; empty: linesignd's
  bool module_network = false;
  std::vector<std::filesystem::path> module_paths;  // that the module reads and writes
  bool require_protections = false;
  std::filesystem::path ca_certificate;  // PEM: the CA, then its chain
  Profile profile;
};

// The key that signs manifests: [manifest]. By default in the token of [hsm], under its own label.
struct ManifestSettings {
  TokenSettings token;
  std::filesystem::path certificate;  // PEM: of this key
  std::filesystem::path pin_memory;   // for a PIN file that is not that of [hsm]
};

// `root` is the root table of linesign.toml.
Result<ManifestSettings> read_manifest_settings(const SettingsTable& root,
                                                const SignerSettings& signer);
Result<SignerSettings> read_signer_settings(const SettingsTable& root);

}  // namespace linesign

#endif  // LINESIGN_HSM_SIGNER_SETTINGS_H_
