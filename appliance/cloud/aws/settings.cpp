#include "appliance/cloud/aws/settings.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <vector>

#include <fmt/format.h>
#include <pwd.h>

#include "appliance/cloud/aws/service_error.h"

namespace linesign::aws {
namespace {

constexpr int kMaxAttempts = 20;
constexpr size_t kMaxRegionBytes = 64;
constexpr std::chrono::seconds kLongestMetadataTimeout(60);

std::string first_of(std::initializer_list<std::string> values) {
  for (const std::string& value : values) {
    if (!value.empty()) return value;
  }
  return {};
}

// Reads one setting after the other from the environment, then the profile.
class Reader final {
 public:
  explicit Reader(const Settings& settings) : settings_(settings) {}

  std::string text(std::string_view variable, std::string_view key) const {
    const std::string& value = settings_.environment.get(variable);
    return value.empty() ? settings_.value(settings_.profile, key) : value;
  }

  Result<bool> flag(std::string_view variable, std::string_view key) const {
    const std::string value = to_lower(text(variable, key));
    if (value.empty() || value == "false") return false;
    if (value == "true") return true;
    return fail(ErrorCode::AwsSettings,
                fmt::format("{}: true or false is expected", place_of(variable, key)));
  }

  Result<int> number(std::string_view variable,
                     std::string_view key,
                     int otherwise,
                     int most) const {
    const std::string value = text(variable, key);
    if (value.empty()) return otherwise;
    int parsed = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
    if (error != std::errc{} || end != value.data() + value.size() || parsed < 1 || parsed > most)
      return fail(ErrorCode::AwsSettings,
                  fmt::format("{}: 1 to {} is expected", place_of(variable, key), most));
    return parsed;
  }

 private:
  // Where a value that text() gives stands.
  std::string place_of(std::string_view variable, std::string_view key) const {
    if (!settings_.environment.get(variable).empty()) return std::string(variable);
    return fmt::format("profile {}, {}", settings_.profile, key);
  }

  const Settings& settings_;
};

// HOME, or what the user database says; empty: neither.
std::filesystem::path home_of_user(const Environment& environment) {
  if (const std::string& home = environment.get("HOME"); !home.empty()) return home;
  std::vector<char> buffer(16 * 1024);
  passwd entry{};
  passwd* found = nullptr;
  const int failure = ::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found);
  return failure == 0 && found != nullptr ? found->pw_dir : std::filesystem::path();
}

// Empty: the variable does not say, and the user has no home.
std::filesystem::path shared_file(const Environment& environment,
                                  std::string_view variable,
                                  std::string_view name) {
  const std::string& path = environment.get(variable);
  if (!path.empty() && !path.starts_with("~/")) return path;
  const std::filesystem::path home = home_of_user(environment);
  if (home.empty()) return {};
  return path.empty() ? home / ".aws" / name : home / path.substr(2);
}

// Proxy variables exist in both cases; the lower one counts first, as in libcurl.
std::string proxy_variable(const Environment& environment, const std::string& lower) {
  std::string upper = lower;
  for (char& c : upper) c = c == '_' ? c : static_cast<char>(c - 'a' + 'A');
  return first_of({environment.get(lower), environment.get(upper)});
}

std::string variable_name(Service service) {
  std::string name = "AWS_ENDPOINT_URL_";
  for (const char c : name_of(service))
    name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return name;
}

Result<std::string> find_endpoint_url(const Settings& settings,
                                      const SettingsOverrides& overrides,
                                      bool ignores_configured,
                                      Service service) {
  const auto given = overrides.endpoint_urls.find(service);
  std::string ours = first_of(
      {given != overrides.endpoint_urls.end() ? given->second : "", overrides.endpoint_url});
  if (!ours.empty() || ignores_configured) return ours;
  const Environment& environment = settings.environment;
  std::string from_environment =
      first_of({environment.get(variable_name(service)), environment.get("AWS_ENDPOINT_URL")});
  if (!from_environment.empty()) return from_environment;
  const std::string services = settings.value(settings.profile, "services");
  std::string for_all = settings.value(settings.profile, "endpoint_url");
  if (services.empty()) return for_all;
  const ProfileSection* section = settings.config_file.find("services " + services);
  if (section == nullptr)
    return fail(ErrorCode::AwsSettings, fmt::format("there is no section [services {}]", services));
  LS_CHECK(section->check());
  return first_of({section->get(name_of(service), "endpoint_url"), for_all});
}

Result<void> read_endpoints(Settings& settings,
                            const SettingsOverrides& overrides,
                            const Reader& read) {
  LS_TRY(const bool ignores_configured,
         read.flag("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls"));
  for (const Service service : kServices) {
    LS_TRY(std::string url, find_endpoint_url(settings, overrides, ignores_configured, service));
    if (!url.empty()) settings.endpoint_urls[service] = std::move(url);
  }
  LS_TRY(settings.use_fips, read.flag("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"));
  LS_TRY(settings.use_dual_stack,
         read.flag("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"));
  settings.use_regional_sts =
      to_lower(read.text("AWS_STS_REGIONAL_ENDPOINTS", "sts_regional_endpoints")) != "legacy";
  return {};
}

Result<void> read_metadata(MetadataSettings& metadata, const Reader& read) {
  LS_TRY(metadata.is_disabled, read.flag("AWS_EC2_METADATA_DISABLED", ""));
  metadata.endpoint =
      read.text("AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint");
  metadata.uses_ipv6 = to_lower(read.text("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
                                          "ec2_metadata_service_endpoint_mode")) == "ipv6";
  LS_TRY(const int timeout,
         read.number("AWS_METADATA_SERVICE_TIMEOUT",
                     "metadata_service_timeout",
                     1,
                     static_cast<int>(kLongestMetadataTimeout.count())));
  metadata.timeout = std::chrono::seconds(timeout);
  LS_TRY(
      metadata.attempts,
      read.number(
          "AWS_METADATA_SERVICE_NUM_ATTEMPTS", "metadata_service_num_attempts", 1, kMaxAttempts));
  return {};
}

// The section that says it; null: none.
const ProfileSection* find_value(const Settings& settings,
                                 std::string_view profile,
                                 std::string_view key) {
  for (const ProfileSection* section :
       {settings.credentials_file.find(profile), settings.profile_section(profile)})
    if (section != nullptr && section->has(key)) return section;
  return nullptr;
}

Result<void> check_region(const std::string& region) {
  const bool is_name = std::all_of(region.begin(), region.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (is_name && region.size() <= 32) return {};
  return fail(ErrorCode::AwsSettings,
              fmt::format("the region \"{}\" is not a name such as eu-west-1",
                          one_line(region, kMaxRegionBytes)));
}

}  // namespace

// Where both spell the default profile, the later one counts.
const ProfileSection* Settings::profile_section(std::string_view name) const {
  const ProfileSection* section = config_file.find(fmt::format("profile {}", name));
  if (name != "default") return section;
  const ProfileSection* plain = config_file.find(name);
  const bool is_later = section != nullptr && (plain == nullptr || section->line() > plain->line());
  return is_later ? section : plain;
}

bool Settings::has_value(std::string_view name, std::string_view key) const {
  return find_value(*this, name, key) != nullptr;
}

std::string Settings::value(std::string_view name, std::string_view key) const {
  const ProfileSection* section = find_value(*this, name, key);
  return section != nullptr ? section->get(key) : std::string();
}

bool Settings::has_profile(std::string_view name) const {
  return credentials_file.find(name) != nullptr || profile_section(name) != nullptr;
}

Result<void> Settings::check_profile(std::string_view name) const {
  LS_CHECK(credentials_file.check());
  LS_CHECK(config_file.check());
  return check_sections(name);
}

Result<void> Settings::check_sections(std::string_view name) const {
  for (const ProfileSection* section : {credentials_file.find(name), profile_section(name)})
    if (section != nullptr) LS_CHECK(section->check());
  return {};
}

Error Settings::no_profile(std::string_view name) const {
  std::string text = fmt::format("there is no profile {}", name);
  if (config_path.empty() || credentials_path.empty()) {
    text += ": HOME is not set, and this user has no home";
  } else {
    text += fmt::format(" in {} or {}", credentials_path.string(), config_path.string());
  }
  const std::string hint =
      first_of({credentials_file.hint(name), config_file.hint(fmt::format("profile {}", name))});
  return Error(ErrorCode::AwsSettings, hint.empty() ? text : fmt::format("{} ({})", text, hint));
}

Result<Settings> load_settings(Environment environment, const SettingsOverrides& overrides) {
  Settings settings;
  settings.environment = std::move(environment);
  const Environment& variables = settings.environment;
  const std::string named = first_of(
      {overrides.profile, variables.get("AWS_PROFILE"), variables.get("AWS_DEFAULT_PROFILE")});
  settings.is_profile_named = !overrides.profile.empty();
  if (!named.empty()) settings.profile = named;
  settings.config_path = shared_file(variables, "AWS_CONFIG_FILE", "config");
  settings.credentials_path = shared_file(variables, "AWS_SHARED_CREDENTIALS_FILE", "credentials");
  settings.config_file = ProfileFile::load(settings.config_path);
  settings.credentials_file = ProfileFile::load(settings.credentials_path);
  LS_CHECK(named.empty() ? settings.check_sections(settings.profile)
                         : settings.check_profile(named));
  if (!named.empty() && !settings.has_profile(named)) return fail(settings.no_profile(named));

  const Reader read(settings);
  settings.region = first_of(
      {overrides.region, variables.get("AWS_REGION"), read.text("AWS_DEFAULT_REGION", "region")});
  LS_CHECK(check_region(settings.region));
  LS_TRY(settings.max_attempts, read.number("AWS_MAX_ATTEMPTS", "max_attempts", 3, kMaxAttempts));
  LS_CHECK(read_endpoints(settings, overrides, read));
  LS_CHECK(read_metadata(settings.metadata, read));
  const std::string bundle = read.text("AWS_CA_BUNDLE", "ca_bundle");
  if (overrides.ca_bundle || !bundle.empty())
    settings.transport.ca_bundle = overrides.ca_bundle.value_or(bundle);
  settings.transport.proxies = {proxy_variable(variables, "https_proxy"),
                                proxy_variable(variables, "http_proxy"),
                                proxy_variable(variables, "no_proxy")};
  return settings;
}

}  // namespace linesign::aws
