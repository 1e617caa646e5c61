#include "appliance/cloud/registration/preflight.h"

#include <algorithm>

#include <fmt/format.h>

#include "appliance/cloud/registration/preflight_ca.h"
#include "appliance/cloud/registration/preflight_findings.h"
#include "appliance/cloud/registration/preflight_quotas.h"
#include "appliance/cloud/registration/preflight_template.h"
#include "appliance/cloud/registration/preflight_things.h"

namespace linesign {
namespace {

constexpr size_t kAttributesWithoutType = 3;
constexpr size_t kMostAttributes = 50;

void check_direct(const TargetSetup& setup, aws::IotClient& iot, PreflightFindings& findings) {
  const DirectPlan& plan = setup.direct;
  if (plan.attributes.size() > (plan.thing_type.empty() ? kAttributesWithoutType : kMostAttributes))
    findings.problem(
        "A thing without a type has at most 3 attributes, with one 50: set "
        "thing_type.");
  check_thing_type(plan.thing_type, iot, findings);
  check_policy(setup, plan.policy, iot, findings);
  check_thing_group(plan.thing_group, iot, findings);
  if (plan.policy.empty() && plan.thing_group.empty())
    findings.warning("Neither policy nor thing_group is set: devices may do nothing.");
}

void check_bucket(const TargetSetup& setup,
                  const aws::Session& session,
                  PreflightFindings& findings) {
  const std::string& bucket = setup.bulk.bucket;
  const auto region = session.s3().head_bucket(bucket);
  if (!findings.found(region, "Bucket " + bucket, "create it in " + setup.region)) return;
  if (!region->empty() && *region != setup.region)
    findings.problem(
        fmt::format("Bucket {} lies in {}, the target in {}: bulk registration wants "
                    "both in one region.",
                    bucket,
                    *region,
                    setup.region));
  else
    findings.good("Bucket " + bucket + " is there.");
}

// AWS tells nobody but IAM's administrators about a role: the first task shows whether it is right.
void check_role(const TargetSetup& setup, PreflightFindings& findings) {
  const std::string& role = setup.bulk.role_arn;
  if (role.find("::" + setup.account + ":role/") == std::string::npos) {
    findings.problem(
        fmt::format("{} is no role of account {}: set role_arn_bulk.", role, setup.account));
    return;
  }
  findings.good(
      fmt::format("{} lies in the account; it must trust iot.amazonaws.com and read "
                  "{}/{}* (not asked: only IAM knows).",
                  role,
                  setup.bulk.bucket,
                  setup.bulk.prefix));
}

void check_running_task(aws::IotClient& iot, PreflightFindings& findings) {
  const auto running = iot.list_tasks(aws::TaskStatus::InProgress);
  if (!running.has_value()) {
    findings.problem("Bulk tasks cannot be listed: " + running.error().to_string());
  } else if (!running->items.empty()) {
    findings.warning("A bulk task runs in the account: AWS runs one at a time, ours waits.");
  }
}

}  // namespace

size_t PreflightFindings::problems() const {
  return static_cast<size_t>(
      std::count_if(findings_.begin(), findings_.end(), [](const PreflightFinding& each) {
        return each.severity == Severity::Problem;
      }));
}

std::vector<PreflightFinding> preflight(const TargetSetup& setup,
                                        const TargetConnection& connection) {
  PreflightFindings findings;
  check_certificate_forms(setup, SystemClock().now(), findings);
  const auto account = connection.check_credentials();
  if (!account.has_value()) {
    findings.problem("Credentials: " + account.error().to_string());
    return findings.take();
  }
  const aws::Session& session = connection.session();
  auto iot = session.iot();
  if (!iot.has_value()) {
    findings.problem(iot.error().to_string());
    return findings.take();
  }
  findings.good(
      fmt::format("The credentials belong to account {}; AWS takes the clock.", setup.account));
  check_ca_registration(setup, session, *iot, findings);
  check_former_cas(setup, session, *iot, findings);
  check_same_subject(setup, *iot, findings);
  if (setup.way == WayKind::Direct) check_direct(setup, *iot, findings);
  if (setup.way == WayKind::Jit) check_jit_template(setup, *iot, findings);
  if (setup.way == WayKind::Bulk) {
    check_bucket(setup, session, findings);
    check_role(setup, findings);
    check_bulk_template(setup, *iot, findings);
    check_running_task(*iot, findings);
  }
  check_thing_names(setup, *iot, findings);
  check_quotas(setup, findings);
  return findings.take();
}

bool has_problem(const std::vector<PreflightFinding>& findings) {
  return std::any_of(findings.begin(), findings.end(), [](const PreflightFinding& each) {
    return each.severity == PreflightFinding::Severity::Problem;
  });
}

}  // namespace linesign
