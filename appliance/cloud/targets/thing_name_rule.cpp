#include "appliance/cloud/targets/thing_name_rule.h"

#include <algorithm>

#include <fmt/format.h>

#include "appliance/cloud/targets/text_rules.h"

namespace linesign {
namespace {

constexpr std::string_view kDeviceId = "{device_id}";
constexpr std::string_view kOrder = "{order}";
constexpr size_t kSerialDigits = 32;
constexpr size_t kCertificateIdDigits = 64;

std::string with(std::string text, std::string_view field, const std::string& value) {
  for (size_t at = 0; (at = text.find(field, at)) != std::string::npos; at += value.size())
    text.replace(at, field.size(), value);
  return text;
}

// Beginning with the prefix, or still too short to tell.
bool may_begin_with(std::string_view text, std::string_view prefix) {
  const size_t common = std::min(text.size(), prefix.size());
  return text.substr(0, common) == prefix.substr(0, common);
}

}  // namespace

Result<void> check_thing_name(std::string_view thing, std::string_view prefix) {
  if (!fits(kThingNameRule, thing))
    return fail(
        ErrorCode::DeviceIdNotAllowed,
        fmt::format("the thing's name would be '{}': {} are allowed", thing, kThingNameRule.words));
  if (!thing.starts_with(prefix))
    return fail(ErrorCode::DeviceIdNotAllowed,
                fmt::format("the thing's name would be '{}': it must begin with '{}' "
                            "(thing_name_prefix)",
                            thing,
                            prefix));
  return {};
}

std::optional<std::string> thing_name_of(const TargetConfig& target) {
  const auto parameter = target.parameters.find("ThingName");
  switch (target.way) {
    case TargetWay::Direct:
      break;
    case TargetWay::Bulk:
      if (parameter != target.parameters.end()) return parameter->second;
      break;
    case TargetWay::File:
      if (parameter != target.parameters.end()) return parameter->second;
      return std::nullopt;
    case TargetWay::Jit:  // as the template says; who wants a prefix names things by the device id
      if (target.thing_name_prefix.empty()) return std::nullopt;
      return std::string(kDeviceId);
  }
  return target.thing_name;
}

std::optional<std::string> find_prefix_fault(std::string_view thing_name, std::string_view prefix) {
  const std::string_view literal = thing_name.substr(0, thing_name.find('{'));
  const std::string_view field = thing_name.substr(literal.size());
  if (!may_begin_with(literal, prefix))
    return fmt::format("no thing called \"{}\" begins with it", thing_name);
  const bool is_decided = literal.size() >= prefix.size();
  if (is_decided || field.starts_with(kDeviceId) || field.starts_with(kOrder)) return std::nullopt;
  return fmt::format("of \"{}\" only a device id or an order could begin with it", thing_name);
}

std::optional<DeviceIdRule> DeviceIdRule::of(const TargetConfig& target, std::string_view order) {
  const auto text = thing_name_of(target);
  if (!text || text->find(kDeviceId) == std::string::npos) return std::nullopt;
  DeviceIdRule rule;
  rule.target_ = target.name;
  rule.thing_prefix_ = target.thing_name_prefix;
  // What is not known yet has a known length.
  rule.thing_name_ = with(*text, kOrder, std::string(order));
  rule.thing_name_ = with(rule.thing_name_, "{serial}", std::string(kSerialDigits, '0'));
  rule.thing_name_ =
      with(rule.thing_name_, "{certificate_id}", std::string(kCertificateIdDigits, '0'));
  const std::string& filled = rule.thing_name_;
  const std::string rest = with(filled, kDeviceId, "");
  const size_t ids = (filled.size() - rest.size()) / kDeviceId.size();
  const std::string_view before = std::string_view(filled).substr(0, filled.find(kDeviceId));
  const std::string_view prefix = target.thing_name_prefix;
  if (prefix.size() > before.size()) rule.id_prefix_ = prefix.substr(before.size());
  // An order's name may be none that a thing can have in its own.
  const bool may_fit =
      (rest.empty() || fits(kThingNameRule, rest)) && may_begin_with(before, prefix);
  if (may_fit) rule.max_id_bytes_ = (kThingNameRule.max - rest.size()) / ids;
  return rule;
}

Result<void> DeviceIdRule::check(std::string_view device_id) const {
  if (device_id.size() <= max_id_bytes_ && device_id.starts_with(id_prefix_) &&
      fits(kThingNameRule, device_id))
    return {};
  const auto wrong =
      check_thing_name(with(thing_name_, kDeviceId, std::string(device_id)), thing_prefix_);
  return fail(
      ErrorCode::DeviceIdNotAllowed,
      fmt::format("target {}: {}",
                  target_,
                  wrong.has_value() ? "no thing can be called so" : wrong.error().detail()));
}

void DeviceIdRules::set(const std::string& order, std::string_view target, bool is_active) {
  std::vector<DeviceIdRule>& rules = by_order_[order];
  std::erase_if(rules, [&](const DeviceIdRule& each) { return each.target() == target; });
  const auto config = std::find_if(
      targets_.begin(), targets_.end(), [&](const auto& each) { return each.name == target; });
  if (!is_active || config == targets_.end()) return;
  if (auto rule = DeviceIdRule::of(*config, order)) rules.push_back(std::move(*rule));
}

Result<void> DeviceIdRules::check(std::string_view order, std::string_view device_id) const {
  const auto rules = by_order_.find(order);
  if (rules == by_order_.end()) return {};
  for (const DeviceIdRule& each : rules->second) LS_CHECK(each.check(device_id));
  return {};
}

}  // namespace linesign
