#include "appliance/cloud/registration/preflight_things.h"

#include <algorithm>

#include <fmt/format.h>

#include "appliance/cloud/aws/endpoints.h"
#include "appliance/cloud/aws/json.h"
#include "appliance/cloud/targets/text_rules.h"

namespace linesign {
namespace {

constexpr const char* kNoThing = "linesign-preflight-asks-for-no-thing";

// A permission that registering needs: asked of a thing that is not there.
template <typename T>
void check_permission(const Result<T>& answer,
                      std::string_view action,
                      PreflightFindings& findings) {
  if (answer.has_value() || answer.error().code() == ErrorCode::AwsNotFound) return;
  findings.problem(
      answer.error().code() == ErrorCode::AwsDenied
          ? fmt::format("The credentials lack {}: whose a thing is could not be seen.", action)
          : fmt::format("{}: {}", action, answer.error().to_string()));
}

bool covers(std::string_view part, std::string_view wanted) {
  return part == wanted || part.find_first_of("*?$") != std::string_view::npos;
}

bool is_about(std::string_view arn, const TargetSetup& setup) {
  return covers(region_of_arn(arn), setup.region) && covers(account_of_arn(arn), setup.account) &&
         arn.starts_with("arn:" + std::string(aws::partition_of(setup.region)) + ":");
}

// Of AWS IoT; "*" and those of other services say nothing about account and region.
std::vector<std::string> iot_arns(const aws::JsonObject& statement) {
  std::vector<std::string> arns = statement.texts("Resource");
  if (auto one = statement.text("Resource")) arns.push_back(std::move(*one));
  std::erase_if(arns, [](const std::string& each) {
    const size_t partition = std::string_view("arn:").size();
    return !each.starts_with("arn:") || each.find(":iot:") != each.find(':', partition);
  });
  return arns;
}

}  // namespace

void check_thing_names(const TargetSetup& setup, aws::IotClient& iot, PreflightFindings& findings) {
  const bool is_adopted = setup.direct.existing_things == ExistingThings::Adopt;
  const std::string& prefix = setup.direct.thing_name_prefix;
  if (setup.way == WayKind::Direct || setup.way == WayKind::Bulk)
    check_permission(iot.list_thing_principals(kNoThing), "iot:ListThingPrincipals", findings);
  if (setup.way == WayKind::Bulk && !is_adopted)
    check_permission(iot.describe_thing(kNoThing), "iot:DescribeThing", findings);
  if (setup.thing_name && setup.thing_name->find("{device_id}") != std::string::npos)
    findings.good(
        "A device id may have '.', and a thing's name may not: such ids are refused before they "
        "are signed (DeviceIdNotAllowed) where their order goes to this target.");
  if (!prefix.empty())
    findings.good(
        fmt::format("Things begin with {}; device ids that make others are refused.", prefix));
  else if (is_adopted && setup.way != WayKind::Jit)
    findings.warning(
        "existing_things = \"adopt\" without thing_name_prefix: a station can take over every "
        "thing of the account.");
}

void check_policy(const TargetSetup& setup,
                  const std::string& name,
                  aws::IotClient& iot,
                  PreflightFindings& findings) {
  if (name.empty()) return;
  const auto policy = iot.get_policy(name);
  if (!findings.found(policy, "Policy " + name, "create it", "iot:GetPolicy")) return;
  const size_t before = findings.problems();
  check_policy_document(setup, "Policy " + name, policy->document, findings);
  if (findings.problems() == before) findings.good("Policy " + name + " is there.");
}

void check_policy_document(const TargetSetup& setup,
                           const std::string& what,
                           const std::string& document,
                           PreflightFindings& findings) {
  const auto body = aws::JsonObject::parse(document);
  if (!body.has_value()) return;  // AWS has taken it, or will say what is wrong
  std::vector<aws::JsonObject> statements = body->objects("Statement");
  if (auto one = body->object("Statement")) statements.push_back(std::move(*one));
  std::string elsewhere;
  size_t here = 0;
  for (const aws::JsonObject& statement : statements) {
    const std::vector<std::string> arns = iot_arns(statement);
    if (statement.text("Effect") != "Allow" || arns.empty()) continue;
    const bool is_here = std::any_of(
        arns.begin(), arns.end(), [&](const std::string& each) { return is_about(each, setup); });
    here += is_here ? 1 : 0;
    if (!is_here && elsewhere.empty()) elsewhere = arns.front();
  }
  if (elsewhere.empty()) return;
  const std::string text = fmt::format(
      "{} allows {}, which is not in account {} in {}: devices here may not do that; "
      "correct the policy's ARNs.",
      what,
      elsewhere,
      setup.account,
      setup.region);
  here == 0 ? findings.problem(text) : findings.warning(text);
}

}  // namespace linesign
