#include "appliance/cloud/targets/target_config.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "appliance/cloud/targets/target_reader.h"

namespace linesign {
namespace {

constexpr size_t kMaxTargets = 100;

constexpr std::array<std::string_view, 4> kWays = {"direct", "bulk", "jit", "file"};
constexpr std::array<std::string_view, 2> kModes = {"SNI_ONLY", "DEFAULT"};

Result<void> check_default_order(const SettingsTable& aws, const AwsConfig& config) {
  std::vector<std::string_view> names;
  names.reserve(config.targets.size());
  for (const TargetConfig& target : config.targets) names.push_back(target.name);
  constexpr std::string_view kKey = "targets_of_default_order";
  const std::vector<std::string>& wanted = config.targets_of_default_order;
  for (auto each = wanted.begin(); each != wanted.end(); ++each) {
    if (std::find(wanted.begin(), each, *each) != each)
      return fail(aws.error_at(
          kKey, ErrorCode::ConfigConflict, fmt::format("\"{}\" stands there twice", *each)));
    if (config.find(*each) != nullptr) continue;
    return fail(aws.error_at(
        kKey,
        ErrorCode::ConfigConflict,
        names.empty()
            ? fmt::format("there is no [[aws.target]], so \"{}\" cannot be one", *each)
            : fmt::format(
                  R"(there is no target "{}", but "{}")", *each, fmt::join(names, "\", \""))));
  }
  return {};
}

}  // namespace

std::string_view to_string(TargetWay way) { return kWays.at(static_cast<size_t>(way)); }
std::string_view to_string(CaMode mode) { return kModes.at(static_cast<size_t>(mode)); }
std::span<const std::string_view> target_way_names() { return kWays; }
std::span<const std::string_view> ca_mode_names() { return kModes; }

const TargetConfig* AwsConfig::find(std::string_view name) const {
  const auto found = std::find_if(
      targets.begin(), targets.end(), [&](const TargetConfig& each) { return each.name == name; });
  return found != targets.end() ? &*found : nullptr;
}

Result<AwsConfig> read_aws_config(const SettingsTable& root) {
  AwsConfig config;
  LS_TRY(const SettingsTable aws, root.table("aws"));
  LS_TRY(config.state_dir, aws.path("state_dir", "uploader"));
  LS_TRY(config.targets_of_default_order, aws.text_list("targets_of_default_order", {}));
  LS_TRY(const std::vector<SettingsTable> tables, aws.tables("target"));
  if (tables.size() > kMaxTargets)
    return fail(aws.error_at(
        "target", ErrorCode::ConfigRange, fmt::format("at most {} targets", kMaxTargets)));
  for (const SettingsTable& table : tables) {
    LS_TRY(TargetConfig target, read_target(table));
    if (config.find(target.name) != nullptr)
      return fail(
          table.error_at("name", ErrorCode::ConfigConflict, "another target has this name"));
    config.targets.push_back(std::move(target));
  }
  LS_CHECK(check_default_order(aws, config));
  return config;
}

}  // namespace linesign
