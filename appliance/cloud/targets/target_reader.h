// TargetReader: one [[aws.target]] out of linesign.toml.
#ifndef LINESIGN_APPLIANCE_CLOUD_TARGETS_TARGET_READER_H_
#define LINESIGN_APPLIANCE_CLOUD_TARGETS_TARGET_READER_H_

#include <span>

#include "appliance/cloud/targets/target_config.h"
#include "appliance/cloud/targets/text_rules.h"

namespace linesign {

Result<TargetConfig> read_target(const SettingsTable& table);
// REQUIRES: account, the rest of the target's own keys, is read.
Result<CredentialsConfig> read_credentials(const SettingsTable& table, const TargetConfig& target);

// In the order of their enums.
std::span<const std::string_view> target_way_names();
std::span<const std::string_view> ca_mode_names();

// A text that is empty, or fits.
Result<std::string> read_name(const SettingsTable& table,
                              std::string_view key,
                              const TextRule& rule,
                              std::string_view fallback = "");
// An ARN of this rule in the partition of the target's region, or empty. `account`: where it must
// lie; empty: anywhere.
Result<std::string> read_arn(const SettingsTable& table,
                             std::string_view key,
                             const ArnRule& rule,
                             std::string_view region,
                             std::string_view account);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_TARGETS_TARGET_READER_H_
