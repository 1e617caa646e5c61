// Config: everything linesignd reads from linesign.toml, checked. Plain data.
//
// Errors   Config*, each with file:line, key and what is allowed
// Source   appliance/config/linesign.toml.example is the reference of all keys
#ifndef LINESIGN_APPLIANCE_CONFIG_CONFIG_H_
#define LINESIGN_APPLIANCE_CONFIG_CONFIG_H_

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include "appliance/cloud/targets/target_config.h"
#include "appliance/records/ledger_settings.h"
#include "hsm/signer/settings.h"
#include "protocol/base/result.h"
#include "protocol/settings/settings_file.h"
#include "stations/listener/listener.h"

namespace linesign {

struct StationsSettings {
  ListenerSettings listener;
  std::string advertise;                 // host:port for join tokens; empty: the listen address
  std::filesystem::path credential_dir;  // station CA and server key
  std::chrono::seconds token_lifetime = std::chrono::hours(24);
  std::chrono::seconds certificate_validity = std::chrono::days(730);
};

struct IssuanceSettings {
  uint32_t max_in_flight = 4096;                   // over all stations; beyond it: Busy
  uint64_t min_free_bytes = 256ULL * 1024 * 1024;  // on the ledger's disk; below it: fail closed
  std::chrono::seconds max_clock_step_back = std::chrono::minutes(2);
  std::chrono::seconds max_clock_ahead = std::chrono::days(30);
};

struct AdminSettings {
  std::filesystem::path socket;  // admin.sock
};

struct DaemonSettings {
  std::chrono::milliseconds drain_timeout = std::chrono::seconds(10);
  std::string log_level = "info";
  std::string user;  // that linesignd becomes when it was started by root; empty: it stays
};

struct Config {
  std::filesystem::path file;  // absolute: handed to the signers
  SignerSettings signer;
  ManifestSettings manifest;
  StationsSettings stations;
  IssuanceSettings issuance;
  LedgerSettings ledger;
  AdminSettings admin;
  DaemonSettings daemon;
  AwsConfig aws;
};

// Errors also when the file holds a key that nobody knows.
Result<Config> load_config(const std::filesystem::path& file);

// The same, and what can be told of the certificates and keys that it names for AWS: for
// --check-config, as linesignd has to start without them.
Result<Config> check_config(const std::filesystem::path& file);

// The same for settings that are loaded already; afterwards `settings` knows every key there is.
// `file` becomes Config::file. REQUIRES: it is absolute, and `settings` was parsed under this path.
Result<Config> read_config(const SettingsFile& settings, const std::filesystem::path& file);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CONFIG_CONFIG_H_
