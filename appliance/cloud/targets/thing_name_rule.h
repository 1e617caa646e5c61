// ThingNameRule: which device ids can be things in which target.
//
// Device ids may be things that AWS's thing names may not, and a target may insist on a prefix, so
// that a station reaches no thing of somebody else. What is decidable from the device id and its
// order is decided before anything is signed.
//
// Errors   DeviceIdNotAllowed with target, name and rule
// Threads  DeviceIdRules: one thread; the rest has no state
// Source   AWS IoT API Reference, CreateThing
#ifndef LINESIGN_APPLIANCE_CLOUD_TARGETS_THING_NAME_RULE_H_
#define LINESIGN_APPLIANCE_CLOUD_TARGETS_THING_NAME_RULE_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/cloud/targets/target_config.h"

namespace linesign {

Result<void> check_thing_name(std::string_view thing, std::string_view prefix);

// The text that names things: of the parameter ThingName where lines have it. Absent: this target
// does not say how its things are called.
std::optional<std::string> thing_name_of(const TargetConfig& target);

// Why no thing of this text can begin with the prefix, whatever its device id is; absent: it can.
std::optional<std::string> find_prefix_fault(std::string_view thing_name, std::string_view prefix);

// One order in one target.
class DeviceIdRule final {
 public:
  // Absent: every device id will do.
  static std::optional<DeviceIdRule> of(const TargetConfig& target, std::string_view order);

  Result<void> check(std::string_view device_id) const;
  const std::string& target() const { return target_; }

 private:
  std::string target_;
  std::string thing_name_;  // with everything but the device id filled in
  std::string thing_prefix_;
  std::string id_prefix_;  // what the device id must begin with
  size_t max_id_bytes_ = 0;
};

// All orders; a target that an order does not go to, or goes to no longer, has no say.
class DeviceIdRules final {
 public:
  explicit DeviceIdRules(std::vector<TargetConfig> targets) : targets_(std::move(targets)) {}

  void set(const std::string& order, std::string_view target, bool is_active);
  Result<void> check(std::string_view order, std::string_view device_id) const;

 private:
  const std::vector<TargetConfig> targets_;
  std::map<std::string, std::vector<DeviceIdRule>, std::less<>> by_order_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_TARGETS_THING_NAME_RULE_H_
