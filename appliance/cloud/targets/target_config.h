// TargetConfig: what [aws] and [[aws.target]] of linesign.toml say, checked. Plain data: nothing is
// looked up, no file but linesign.toml is read, and no credential is needed to read it.
//
// Errors   Config*, each with file:line, key and what is allowed
// Source   appliance/config/linesign.toml.example is the reference of all keys; names and limits of
//          AWS IoT: AWS IoT API Reference
#ifndef LINESIGN_APPLIANCE_CLOUD_TARGETS_TARGET_CONFIG_H_
#define LINESIGN_APPLIANCE_CLOUD_TARGETS_TARGET_CONFIG_H_

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/settings/settings_file.h"

namespace linesign {

enum class TargetWay : uint8_t { Direct, Bulk, Jit, File };
enum class CaMode : uint8_t { SniOnly, Default };
// A thing that is there and that this appliance did not make.
enum class ExistingThings : uint8_t { Refuse, Adopt };

// A key that signs for IAM Roles Anywhere, and its certificate.
struct RolesAnywhereConfig {
  std::string trust_anchor_arn;
  std::string profile_arn;
  std::string role_arn;
  std::filesystem::path certificate;  // PEM: the certificate, then what leads to the trust anchor
  std::string key_uri;                // "pkcs11:...", or empty and...
  std::filesystem::path key_file;     // ...PEM
  std::filesystem::path pin_file;     // of the token; empty: as the URI says
  std::string session_name;           // empty: none
};

struct CredentialsConfig {
  std::string profile;          // of AWS's shared files; empty: what the environment says
  std::string assume_role_arn;  // empty: none
  std::string external_id;
  std::string role_session_name = "linesign";
  std::chrono::seconds session_duration = std::chrono::hours(1);  // of either kind of role
  std::optional<RolesAnywhereConfig> roles_anywhere;
};

// Values with {device_id}, {order}, {serial}, {certificate_id}, {certificate_pem} and
// {ca_certificate_pem} in parameters.
using FieldTexts = std::map<std::string, std::string>;

// What a line of a manifest holds where nothing else is said.
const FieldTexts& default_parameters();

struct TargetConfig {
  std::string name;
  std::string account;  // 12 digits
  std::string region;
  CaMode mode = CaMode::SniOnly;
  TargetWay way = TargetWay::Direct;
  bool is_active = true;  // what device certificates are when they are registered

  // Every thing's name begins with it; empty: anything.
  std::string thing_name_prefix;
  ExistingThings existing_things = ExistingThings::Refuse;

  // Direct.
  bool register_without_ca = false;
  bool send_ca_certificate = false;  // with each certificate: where CAs share a subject
  std::string thing_name = "{device_id}";
  std::string thing_type;
  FieldTexts attributes;
  std::string policy;
  std::string thing_group;

  // Bulk and file.
  FieldTexts parameters;
  uint32_t chunk_lines = 50'000;

  // Bulk: a task begins with so many lines, or when a device has waited for so long.
  uint32_t min_lines = 100;
  std::chrono::seconds max_wait = std::chrono::minutes(5);

  // Bulk; the template also for just-in-time provisioning.
  std::filesystem::path template_file;
  std::string bucket;
  std::string prefix = "linesign/";
  std::string role_arn_bulk;

  // Just in time.
  std::string template_name;
  std::string registration_role_arn;  // with template_file

  // File.
  std::filesystem::path export_dir;

  CredentialsConfig credentials;
  std::string endpoint_url;                           // empty: AWS's own
  std::filesystem::path ca_bundle;                    // empty: the system's
  double rate_factor = 0.8;                           // of the quotas
  std::map<std::string, double, std::less<>> quotas;  // operation -> calls a second
};

struct AwsConfig {
  std::filesystem::path state_dir;  // of linesign-uploader
  std::vector<std::string> targets_of_default_order;
  std::vector<TargetConfig> targets;

  // Null if there is none.
  const TargetConfig* find(std::string_view name) const;
};

// `root` is the root table of linesign.toml. Without [aws]: no targets.
Result<AwsConfig> read_aws_config(const SettingsTable& root);

std::string_view to_string(TargetWay way);  // "direct", "bulk", "jit", "file"
std::string_view to_string(CaMode mode);    // "SNI_ONLY", "DEFAULT"

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_TARGETS_TARGET_CONFIG_H_
