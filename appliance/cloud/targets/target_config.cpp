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

bool uses_ca(const TargetConfig& target) {
  return target.way != TargetWay::File && !target.register_without_ca;
}

// The CA is registered once in an account and region, whichever target uses it there.
Result<void> check_ca_neighbours(const SettingsTable& table,
                                 const AwsConfig& config,
                                 const TargetConfig& target) {
  for (const TargetConfig& other : config.targets) {
    const bool is_neighbour = uses_ca(other) && uses_ca(target) &&
                              other.account == target.account && other.region == target.region;
    if (!is_neighbour) continue;
    if (other.mode != target.mode)
      return fail(table.error_at(
          "mode",
          ErrorCode::ConfigConflict,
          fmt::format(R"(target "{}" of the same account and region says "{}", and the CA has one)",
                      other.name,
                      to_string(other.mode))));
    const bool are_jit = other.way == TargetWay::Jit && target.way == TargetWay::Jit;
    if (are_jit && (other.template_name != target.template_name ||
                    other.template_file != target.template_file))
      return fail(table.error_at(
          "template_name",
          ErrorCode::ConfigConflict,
          fmt::format(R"(target "{}" of the same account and region names another template, and )"
                      "the CA has one",
                      other.name)));
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
    LS_CHECK(check_ca_neighbours(table, config, target));
    config.targets.push_back(std::move(target));
  }
  LS_CHECK(check_default_order(aws, config));
  return config;
}

}  // namespace linesign
