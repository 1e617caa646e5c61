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

DefaultOrderHere default_order_at(const AwsConfig& config, const CloudTargetStatus& known) {
  const auto& names = config.targets_of_default_order;
  const bool is_named = std::find(names.begin(), names.end(), known.target.name) != names.end();
  const auto feed = std::find_if(known.feeds.begin(), known.feeds.end(), [](const auto& each) {
    return each.order_id == kDefaultOrder;
  });
  if (feed == known.feeds.end())
    return is_named ? DefaultOrderHere::NotKnownYet : DefaultOrderHere::AsTheFileSays;
  if (feed->is_active == is_named) return DefaultOrderHere::AsTheFileSays;
  return is_named ? DefaultOrderHere::StoppedByHand : DefaultOrderHere::AddedByHand;
}

std::string to_sentence(DefaultOrderHere here, std::string_view target) {
  switch (here) {
    case DefaultOrderHere::AsTheFileSays:
      break;
    case DefaultOrderHere::NotKnownYet:
      return "linesignd does not know yet that the order default goes here: restart linesignd";
    case DefaultOrderHere::StoppedByHand:
      return fmt::format(
          "no device of the order default is registered here: the configuration names it, and it "
          "was stopped by hand: linesign aws register --order {} --target {} (or linesignd has "
          "not been restarted since the configuration was changed)",
          kDefaultOrder,
          target);
    case DefaultOrderHere::AddedByHand:
      return fmt::format(
          "the order default goes here by hand, and the configuration does not name it (linesign "
          "aws register --order {} --target {} --stop would end it)",
          kDefaultOrder,
          target);
  }
  return {};
}

}  // namespace linesign
