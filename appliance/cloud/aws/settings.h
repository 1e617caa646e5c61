// Settings: what the environment and AWS's shared files say, for one profile.
//
// Order    what the caller gives, then the environment, then the profile in the credentials file,
//          then in the config file, then the built-in value
// Errors   AwsSettings with the variable or key
// Source   AWS SDKs and Tools Reference Guide, "Settings reference"
// Threads  plain value, shared as const
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_SETTINGS_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_SETTINGS_H_

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "appliance/cloud/aws/curl_transport.h"
#include "appliance/cloud/aws/environment.h"
#include "appliance/cloud/aws/profile_file.h"
#include "appliance/cloud/aws/service.h"

namespace linesign::aws {

// What the caller knows better. Empty: not given.
struct SettingsOverrides {
  std::string profile{};
  std::string region{};
  std::string endpoint_url{};                      // for every service
  std::map<Service, std::string> endpoint_urls{};  // before endpoint_url
  std::optional<std::filesystem::path> ca_bundle{};
};

struct MetadataSettings {
  bool is_disabled = false;
  std::string endpoint;  // URL; empty: the built-in one
  bool uses_ipv6 = false;
  std::chrono::milliseconds timeout{1000};
  int attempts = 1;
};

struct Settings {
  std::string profile = "default";
  bool is_profile_named = false;  // by the caller; AWS_PROFILE alone leaves the environment's keys
  std::string region;             // empty: not set anywhere
  std::map<Service, std::string> endpoint_urls;
  bool use_fips = false;
  bool use_dual_stack = false;
  bool use_regional_sts = true;
  int max_attempts = 3;  // the first included
  MetadataSettings metadata;
  TransportSettings transport;

  Environment environment;
  std::filesystem::path config_path;  // empty, like the next: the user has no home
  std::filesystem::path credentials_path;
  ProfileFile config_file;
  ProfileFile credentials_file;

  // The profile's section in the config file; null: none.
  const ProfileSection* profile_section(std::string_view name) const;
  // What a profile says in the credentials file, else in the config file; empty: nothing.
  std::string value(std::string_view name, std::string_view key) const;
  bool has_value(std::string_view name, std::string_view key) const;  // also an empty one
  // In either file.
  bool has_profile(std::string_view name) const;
  // AwsSettings: a file cannot be read, or what it says of this profile.
  Result<void> check_profile(std::string_view name) const;
  // The same of what can be read.
  Result<void> check_sections(std::string_view name) const;
  // AwsSettings: that it is in neither file, and what may have been meant.
  Error no_profile(std::string_view name) const;
};

Result<Settings> load_settings(Environment environment, const SettingsOverrides& overrides);

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_SETTINGS_H_
