#include "hsm/x509/profile.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "hsm/x509/profile_encoding.h"

namespace linesign {
namespace {

// A shorter one is meant otherwise: "20m" are minutes.
constexpr std::chrono::seconds kMinConfigured = std::chrono::days(1);
constexpr std::array<std::string_view, 1> kPresets = {"aws-iot-device"};
constexpr std::array<std::string_view, 2> kSubjectSources = {"device-id", "csr"};  // as the enum
constexpr std::array<std::string_view, 2> kCommonNameRules = {"must-match",
                                                              "ignore"};  // as the enum
constexpr std::string_view kNoExpiry = "no-expiry";
constexpr std::string_view kDefaultValidity = "20y";

// A check's error, pointed at the key that it is about.
template <typename T>
Result<void> at_key(const SettingsTable& table, std::string_view key, const Result<T>& checked) {
  if (checked) return {};
  return fail(table.error_at(key, checked.error().code(), checked.error().detail()));
}

Result<void> read_subject(const SettingsTable& table, Profile& profile) {
  LS_TRY(const size_t source, table.choice("subject", kSubjectSources, 0));
  profile.subject_source = static_cast<SubjectSource>(source);
  LS_TRY(const size_t rule, table.choice("csr_common_name", kCommonNameRules, 0));
  profile.csr_common_name = static_cast<CommonNameRule>(rule);
  const bool is_kept = profile.subject_source == SubjectSource::Csr;
  if (is_kept && profile.csr_common_name == CommonNameRule::Ignore) {
    return fail(table.error_at("csr_common_name",
                               ErrorCode::ConfigConflict,
                               "with subject = \"csr\" the common name stands in the certificate "
                               "and must be the device id"));
  }
  LS_TRY(const std::vector<std::string> fields, table.text_list("subject_fields", {}));
  for (const std::string& field : fields) {
    const size_t equals = field.find('=');
    if (equals == std::string::npos) {
      return fail(table.error_at(
          "subject_fields", ErrorCode::ConfigRange, "each field is written \"O=Example\""));
    }
    profile.subject_fields.emplace_back(field.substr(0, equals), field.substr(equals + 1));
  }
  if (is_kept && !profile.subject_fields.empty()) {
    return fail(table.error_at("subject_fields",
                               ErrorCode::ConfigConflict,
                               "with subject = \"csr\" the CSR's subject is kept as it is"));
  }
  return at_key(table, "subject_fields", encode_subject_fields(profile.subject_fields));
}

Result<std::chrono::seconds> whole_seconds(const SettingsTable& table,
                                           std::string_view key,
                                           Range<std::chrono::milliseconds> range,
                                           std::chrono::seconds fallback) {
  LS_TRY(const std::chrono::milliseconds value, table.duration(key, range, fallback));
  const auto seconds = std::chrono::floor<std::chrono::seconds>(value);
  if (seconds != value) {
    return fail(table.error_at(key, ErrorCode::ConfigRange, "whole seconds are allowed"));
  }
  return seconds;
}

Result<void> read_validity(const SettingsTable& table, Profile& profile) {
  LS_TRY(
      profile.backdate,
      whole_seconds(table, "backdate", {std::chrono::seconds(0), kMaxBackdate}, profile.backdate));
  LS_TRY(const std::string text, table.text("validity", kDefaultValidity));
  profile.no_expiry = text == kNoExpiry;
  if (profile.no_expiry) return {};
  LS_TRY(profile.validity,
         whole_seconds(table, "validity", {kMinConfigured, kMaxValidity}, profile.validity));
  return {};
}

Result<void> read_usages(const SettingsTable& table, Profile& profile) {
  LS_TRY(profile.key_usage, table.text_list("key_usage", profile.key_usage));
  LS_TRY(profile.key_usage_critical,
         table.boolean("key_usage_critical", profile.key_usage_critical));
  LS_CHECK(
      at_key(table, "key_usage", encode_key_usage(profile.key_usage, profile.key_usage_critical)));
  LS_TRY(profile.extended_key_usage,
         table.text_list("extended_key_usage", profile.extended_key_usage));
  return at_key(table, "extended_key_usage", encode_extended_key_usage(profile.extended_key_usage));
}

Result<void> read_allowed_keys(const SettingsTable& table, Profile& profile) {
  std::vector<std::string> names;
  names.reserve(profile.allowed_keys.size());
  for (const KeyType type : profile.allowed_keys) names.emplace_back(to_string(type));
  LS_TRY(names, table.text_list("allowed_keys", std::move(names)));
  profile.allowed_keys.clear();
  for (const std::string& name : names) {
    const auto* const row = std::find(kKeyTypeNames.begin(), kKeyTypeNames.end(), name);
    if (row == kKeyTypeNames.end()) {
      return fail(table.error_at(
          "allowed_keys",
          ErrorCode::ConfigRange,
          fmt::format(
              "'{}' is not a key type; allowed: {}", name, fmt::join(kKeyTypeNames, ", "))));
    }
    profile.allowed_keys.push_back(static_cast<KeyType>(row - kKeyTypeNames.begin()));
  }
  return at_key(table, "allowed_keys", check_allowed_keys(profile.allowed_keys));
}

// One line, whatever the value holds: so that two profiles never have one text.
std::string line(std::string_view key, std::string_view value) {
  std::string out(key);
  out += '=';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || c == '\\' || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  out += '\n';
  return out;
}

std::string lines(std::string_view key, const std::vector<std::string>& values) {
  std::string out;
  for (const std::string& value : values) out += line(key, value);
  return out;
}

}  // namespace

Result<Profile> read_profile(const SettingsTable& table) {
  Profile profile;
  LS_TRY(const size_t preset, table.choice("preset", kPresets, 0));
  profile.preset = kPresets[preset];
  LS_CHECK(read_subject(table, profile));
  LS_CHECK(read_validity(table, profile));
  LS_CHECK(read_usages(table, profile));
  LS_TRY(profile.subject_alt_names, table.text_list("subject_alt_names", {}));
  LS_CHECK(at_key(table, "subject_alt_names", parse_alt_names(profile.subject_alt_names)));
  LS_TRY(profile.policies, table.text_list("policies", {}));
  LS_CHECK(at_key(table, "policies", encode_policies(profile.policies)));
  LS_CHECK(read_allowed_keys(table, profile));
  return profile;
}

std::string canonical_text(const Profile& profile) {
  std::string text = "linesign profile 1\n";
  text += line("preset", profile.preset);
  text += line("subject", kSubjectSources[static_cast<size_t>(profile.subject_source)]);
  // Left out where it is the default, so that profiles from before it keep their hash.
  if (profile.csr_common_name != CommonNameRule::MustMatch) {
    text += line("csr_common_name", kCommonNameRules[static_cast<size_t>(profile.csr_common_name)]);
  }
  for (const auto& [name, value] : profile.subject_fields) {
    text += line("subject_field", fmt::format("{}={}", name, value));
  }
  text += line("backdate_s", std::to_string(profile.backdate.count()));
  text +=
      line("validity_s",
           profile.no_expiry ? std::string(kNoExpiry) : std::to_string(profile.validity.count()));
  text += line("key_usage_critical", profile.key_usage_critical ? "true" : "false");
  text += lines("key_usage", profile.key_usage);
  text += lines("extended_key_usage", profile.extended_key_usage);
  text += lines("subject_alt_name", profile.subject_alt_names);
  text += lines("policy", profile.policies);
  for (const KeyType type : profile.allowed_keys) text += line("allowed_key", to_string(type));
  return text;
}

}  // namespace linesign
