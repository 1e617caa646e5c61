// Where a target's AWS credentials come from: names and places, never a secret.
#include <fmt/format.h>

#include "appliance/cloud/targets/target_reader.h"
#include "hsm/pkcs11/uri.h"

namespace linesign {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr std::string_view kUriStart = "pkcs11:";

// What a token would refuse is told before one is asked.
Result<void> check_key_uri(const SettingsTable& table, const std::string& text) {
  const auto uri = parse_pkcs11_uri(text);
  if (!uri.has_value())
    return fail(table.error_at("key", ErrorCode::ConfigRange, uri.error().detail()));
  const bool names_token = !uri->token.empty() || !uri->serial.empty();
  const bool names_key = !uri->object.empty() || !uri->id.empty();
  if (names_token && names_key) return {};
  return fail(
      table.error_at("key",
                     ErrorCode::ConfigRange,
                     fmt::format("the URI names no {}: expected token or serial, and object "
                                 "or id, as in pkcs11:token=uploader;object=aws",
                                 names_token ? "key" : "token")));
}

Result<void> read_key(const SettingsTable& table, RolesAnywhereConfig& roles) {
  LS_TRY(const std::string key, table.text("key", ""));
  if (key.starts_with(kUriStart)) {
    LS_CHECK(check_key_uri(table, key));
    roles.key_uri = key;
  } else if (!key.empty()) {
    LS_TRY(roles.key_file, table.path("key", ""));
  }
  LS_TRY(roles.pin_file, table.path("pin_file", ""));
  if (!roles.pin_file.empty() && roles.key_uri.empty())
    return fail(table.error_at(
        "pin_file", ErrorCode::ConfigConflict, "only a key in a token (pkcs11:...) has a PIN"));
  return {};
}

// Absent: none of its keys is set.
Result<std::optional<RolesAnywhereConfig>> read_roles_anywhere(const SettingsTable& table,
                                                               std::string_view region,
                                                               std::string_view account) {
  RolesAnywhereConfig roles;
  LS_TRY(roles.trust_anchor_arn,
         read_arn(table, "trust_anchor_arn", kTrustAnchorArnRule, region, ""));
  LS_TRY(roles.profile_arn, read_arn(table, "profile_arn", kLoginProfileArnRule, region, ""));
  LS_TRY(roles.role_arn, read_arn(table, "role_arn", kRoleArnRule, region, account));
  LS_TRY(roles.certificate, table.path("certificate", ""));
  LS_CHECK(read_key(table, roles));
  LS_TRY(roles.session_name, read_name(table, "session_name", kSessionNameRule));
  std::string_view first_missing;
  bool has_any = !roles.pin_file.empty() || !roles.session_name.empty();
  const auto note = [&](std::string_view key, bool is_set) {
    has_any = has_any || is_set;
    if (!is_set && first_missing.empty()) first_missing = key;
  };
  note("trust_anchor_arn", !roles.trust_anchor_arn.empty());
  note("profile_arn", !roles.profile_arn.empty());
  note("role_arn", !roles.role_arn.empty());
  note("certificate", !roles.certificate.empty());
  note("key", !roles.key_uri.empty() || !roles.key_file.empty());
  if (!has_any) return std::optional<RolesAnywhereConfig>();
  if (!first_missing.empty())
    return fail(table.error_at(
        first_missing, ErrorCode::ConfigMissing, "required beside the other keys of this table"));
  if (region_of_arn(roles.trust_anchor_arn) != region_of_arn(roles.profile_arn))
    return fail(table.error_at("profile_arn",
                               ErrorCode::ConfigConflict,
                               "trust anchor and profile lie in different regions"));
  return roles;
}

}  // namespace

Result<CredentialsConfig> read_credentials(const SettingsTable& table, const TargetConfig& target) {
  CredentialsConfig credentials;
  LS_TRY(credentials.profile, table.text("profile", ""));
  LS_TRY(credentials.assume_role_arn,
         read_arn(table, "assume_role_arn", kRoleArnRule, target.region, target.account));
  LS_TRY(credentials.external_id, read_name(table, "external_id", kExternalIdRule));
  LS_TRY(credentials.role_session_name,
         read_name(table, "role_session_name", kSessionNameRule, credentials.role_session_name));
  LS_TRY(
      const milliseconds duration,
      table.duration("session_duration", {minutes(15), hours(12)}, credentials.session_duration));
  credentials.session_duration = std::chrono::duration_cast<std::chrono::seconds>(duration);
  // A role that is assumed on top may lie in another account than the first one.
  const std::string_view account =
      credentials.assume_role_arn.empty() ? std::string_view(target.account) : "";
  LS_TRY(const SettingsTable roles, table.table("roles_anywhere"));
  LS_TRY(credentials.roles_anywhere, read_roles_anywhere(roles, target.region, account));
  if (!credentials.external_id.empty() && credentials.assume_role_arn.empty())
    return fail(table.error_at(
        "external_id", ErrorCode::ConfigConflict, "belongs to assume_role_arn, which is not set"));
  if (credentials.roles_anywhere.has_value() && !credentials.profile.empty())
    return fail(table.error_at(
        "profile", ErrorCode::ConfigConflict, "profile and roles_anywhere exclude each other"));
  return credentials;
}

}  // namespace linesign
