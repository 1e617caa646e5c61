// PlanCheck: linesignd learns its targets at its start, so it may not know yet what linesign.toml
// says now. Whoever reads the file says so, instead of what linesignd believes.
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

constexpr std::string_view kNotKnownYet =
    "linesignd does not know this target yet: restart linesignd";

// Of the file; in its order. Not those whose name was another account or region before: a restart
// does not help them.
std::vector<std::string> targets_not_known_yet(const AwsConfig& config,
                                               const std::vector<CloudTargetStatus>& known);

// linesignd's CloudTargetUnknown about a target that the file names says kNotKnownYet; every other
// error is as it was.
Error explain_unknown_target(const AwsConfig& config, std::string_view target, const Error& error);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_TARGETS_PLAN_CHECK_H_
