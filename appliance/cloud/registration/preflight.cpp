#include "appliance/cloud/registration/preflight.h"

#include <algorithm>

#include <fmt/format.h>

#include "appliance/cloud/aws/json.h"

namespace linesign {
namespace {

using Severity = PreflightFinding::Severity;

constexpr size_t kAttributesWithoutType = 3;
constexpr size_t kMostAttributes = 50;
constexpr size_t kMaxTemplateBytes = 10'240;

class Preflight final {
 public:
  Preflight(const TargetSetup& setup, const Connection& connection, aws::IotClient iot)
      : setup_(setup), session_(connection.session()), iot_(std::move(iot)) {}

  std::vector<PreflightFinding> run() {
    check_ca();
    if (setup_.way == WayKind::Direct) check_direct();
    if (setup_.way == WayKind::Bulk) check_bulk();
    return std::move(findings_);
  }

 private:
  void add(Severity severity, std::string text) {
    findings_.push_back({severity, std::move(text)});
  }
  void good(std::string text) { add(Severity::Good, std::move(text)); }
  void problem(std::string text) { add(Severity::Problem, std::move(text)); }

  // `what` is there, or why not.
  template <typename T>
  bool found(const Result<T>& answer, const std::string& what, const std::string& advice) {
    if (answer.has_value()) return true;
    if (answer.error().code() == ErrorCode::AwsNotFound) {
      problem(fmt::format("{} is not there: {}", what, advice));
    } else {
      problem(fmt::format("{} cannot be looked at: {}", what, answer.error().to_string()));
    }
    return false;
  }

  void check_ca() {
    if (setup_.way == WayKind::Direct && setup_.direct.without_ca) {
      good("The CA need not be registered: register_without_ca.");
      return;
    }
    const auto ca = iot_.describe_ca(setup_.ca.id);
    if (!found(ca, "The CA's registration", "linesign aws register-ca --target " + setup_.name))
      return;
    if (ca->status != aws::CertificateStatus::Active)
      problem("The CA is registered and not ACTIVE: linesign aws register-ca --target " +
              setup_.name);
    if (ca->mode != setup_.ca.mode)
      problem(
          fmt::format("The CA is registered in mode {}, the configuration says {}: AWS changes "
                      "no mode; delete-ca, then register-ca.",
                      aws::to_string(ca->mode),
                      aws::to_string(setup_.ca.mode)));
    if (setup_.way == WayKind::Jit) {
      const auto ready = check_jit_ca(session_, setup_.ca);
      if (!ready.has_value()) problem(ready.error().to_string());
    }
    if (findings_.empty() || !has_problem(findings_))
      good(fmt::format("The CA is registered, ACTIVE, in mode {}.", aws::to_string(ca->mode)));
  }

  void check_direct() {
    const DirectPlan& plan = setup_.direct;
    if (plan.attributes.size() >
        (plan.thing_type.empty() ? kAttributesWithoutType : kMostAttributes))
      problem("A thing without a type has at most 3 attributes, with one 50: set thing_type.");
    if (!plan.thing_type.empty()) {
      const auto type = iot_.describe_thing_type(plan.thing_type);
      if (found(type, "Thing type " + plan.thing_type, "create it") && type->is_deprecated)
        problem("Thing type " + plan.thing_type + " is deprecated: no thing can be made of it.");
    }
    if (!plan.policy.empty() &&
        found(iot_.get_policy(plan.policy), "Policy " + plan.policy, "create it"))
      good("Policy " + plan.policy + " is there.");
    if (!plan.thing_group.empty()) {
      const auto group = iot_.describe_thing_group(plan.thing_group);
      if (found(group, "Thing group " + plan.thing_group, "create it") && group->is_dynamic)
        problem("Thing group " + plan.thing_group + " is dynamic: things cannot be added to it.");
    }
    if (plan.policy.empty() && plan.thing_group.empty())
      add(Severity::Warning, "Neither policy nor thing_group is set: devices may do nothing.");
  }

  void check_bulk() {
    const BulkPlan& plan = setup_.bulk;
    const auto region = session_.s3().head_bucket(plan.bucket);
    if (found(region, "Bucket " + plan.bucket, "create it in " + setup_.region)) {
      if (!region->empty() && *region != setup_.region)
        problem(
            fmt::format("Bucket {} lies in {}, the target in {}: bulk registration wants both "
                        "in one region.",
                        plan.bucket,
                        *region,
                        setup_.region));
      else
        good("Bucket " + plan.bucket + " is there.");
    }
    if (plan.template_body.size() > kMaxTemplateBytes)
      problem("The template is longer than 10,240 bytes.");
    const auto body = aws::JsonObject::parse(plan.template_body);
    const auto parameters =
        body.has_value() ? body->object("Parameters") : std::optional<aws::JsonObject>();
    if (!parameters) {
      problem("The template is no JSON object with Parameters.");
      return;
    }
    for (const auto& [name, text] : plan.parameters)
      if (!parameters->object(name))
        problem(
            fmt::format("The template declares no parameter {}: take it out of `parameters`, "
                        "or every line fails.",
                        name));
  }

  const TargetSetup& setup_;
  const aws::Session& session_;
  aws::IotClient iot_;
  std::vector<PreflightFinding> findings_;
};

}  // namespace

std::vector<PreflightFinding> preflight(const TargetSetup& setup, const Connection& connection) {
  const auto account = connection.check_account(setup.account);
  if (!account.has_value())
    return {{Severity::Problem, "Credentials: " + account.error().to_string()}};
  auto iot = connection.session().iot();
  if (!iot.has_value()) return {{Severity::Problem, iot.error().to_string()}};
  std::vector<PreflightFinding> findings = {
      {Severity::Good,
       fmt::format("The credentials belong to account {}; AWS takes the clock.", setup.account)}};
  const auto more = Preflight(setup, connection, std::move(*iot)).run();
  findings.insert(findings.end(), more.begin(), more.end());
  return findings;
}

bool has_problem(const std::vector<PreflightFinding>& findings) {
  return std::any_of(findings.begin(), findings.end(), [](const PreflightFinding& each) {
    return each.severity == Severity::Problem;
  });
}

}  // namespace linesign
