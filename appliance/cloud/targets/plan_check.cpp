#include "appliance/cloud/targets/plan_check.h"

#include <algorithm>

#include <fmt/format.h>

namespace linesign {

std::vector<std::string> targets_not_known_yet(const AwsConfig& config,
                                               const std::vector<CloudTargetStatus>& known) {
  std::vector<std::string> names;
  for (const TargetConfig& target : config.targets) {
    const bool is_known = std::any_of(known.begin(), known.end(), [&](const auto& each) {
      const bool is_moved =
          each.target.account != target.account || each.target.region != target.region;
      return each.target.name == target.name && (each.is_configured || is_moved);
    });
    if (!is_known) names.push_back(target.name);
  }
  return names;
}

Error explain_unknown_target(const AwsConfig& config, std::string_view target, const Error& error) {
  if (error.code() != ErrorCode::CloudTargetUnknown || config.find(target) == nullptr) return error;
  return Error(error.code(), fmt::format("{}: {}", target, kNotKnownYet));
}

}  // namespace linesign
