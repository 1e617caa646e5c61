#include "appliance/cloud/targets/login_files.h"

#include <unistd.h>

#include <cerrno>

#include "hsm/x509/credential_file.h"

namespace linesign {
namespace {

bool may_open(const std::filesystem::path& file) {
  return ::access(file.c_str(), R_OK) == 0 || errno != EACCES;
}

Result<void> check_files(const SettingsTable& table, const RolesAnywhereConfig& roles) {
  if (!may_open(roles.certificate)) return {};
  const auto owner = load_certificate_file(roles.certificate);
  if (!owner.has_value())
    return fail(table.error_at("certificate", ErrorCode::ConfigRange, owner.error().detail()));
  if (!can_sign_sha256(owner->public_key.get()))
    return fail(table.error_at(
        "certificate", ErrorCode::ConfigRange, "expected a certificate of an RSA or EC key"));
  if (roles.key_file.empty() || !may_open(roles.key_file)) return {};
  const auto key = load_private_key(roles.key_file);
  if (!key.has_value())
    return fail(table.error_at("key", ErrorCode::ConfigRange, key.error().detail()));
  if (const auto pair = check_pair(key->get(), owner->public_key.get()); !pair.has_value())
    return fail(table.error_at("key", ErrorCode::ConfigConflict, pair.error().detail()));
  return {};
}

}  // namespace

Result<void> check_login_files(const SettingsTable& root, const AwsConfig& config) {
  LS_TRY(const SettingsTable aws, root.table("aws"));
  LS_TRY(const std::vector<SettingsTable> tables, aws.tables("target"));
  for (size_t i = 0; i < tables.size() && i < config.targets.size(); ++i) {
    const auto& roles = config.targets[i].credentials.roles_anywhere;
    if (!roles.has_value()) continue;
    LS_TRY(const SettingsTable table, tables[i].table("roles_anywhere"));
    LS_CHECK(check_files(table, *roles));
  }
  return {};
}

}  // namespace linesign
