// PlanCheck: does linesignd do with its targets what linesign.toml says?
//
// It learns them at its start, so it may not know yet what the file says now; and what an operator
// decided by hand about an order and a target stays, whatever the file says later.
//
// Threads  no state, safe anywhere
#ifndef LINESIGN_APPLIANCE_CLOUD_TARGETS_PLAN_CHECK_H_
#define LINESIGN_APPLIANCE_CLOUD_TARGETS_PLAN_CHECK_H_

#include <string>
#include <string_view>
#include <vector>

#include "appliance/cloud/targets/target_config.h"
#include "appliance/records/cloud_records.h"
#include "protocol/base/error.h"

namespace linesign {

constexpr std::string_view kDefaultOrder = "default";

constexpr std::string_view kNotKnownYet =
    "linesignd does not know this target yet: restart linesignd";

// Of the file; in its order. Not those whose name was another account or region before: a restart
// does not help them.
std::vector<std::string> targets_not_known_yet(const AwsConfig& config,
                                               const std::vector<CloudTargetStatus>& known);

// linesignd's CloudTargetUnknown about a target that the file names says kNotKnownYet; every other
// error is as it was.
Error explain_unknown_target(const AwsConfig& config, std::string_view target, const Error& error);

// Where the order "default" does not do at this target what the file says; it does either way what
// was said by hand, or what the file said when linesignd started.
enum class DefaultOrderHere : uint8_t {
  AsTheFileSays,
  NotKnownYet,  // the file names the target, and linesignd never heard of it with this order
  StoppedByHand,
  AddedByHand,
};
DefaultOrderHere default_order_at(const AwsConfig& config, const CloudTargetStatus& known);

// A sentence without the target's name; empty for AsTheFileSays.
std::string to_sentence(DefaultOrderHere here, std::string_view target);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_TARGETS_PLAN_CHECK_H_
