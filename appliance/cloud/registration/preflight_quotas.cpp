#include "appliance/cloud/registration/preflight_quotas.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "appliance/cloud/aws/operation_limits.h"

namespace linesign {
namespace {

constexpr double kManyDevices = 100'000;
constexpr std::array<std::string_view, 2> kFixedQuotas = {"DescribeEndpoint",
                                                          "CreateProvisioningTemplate"};

double quota_of(const TargetSetup& setup, std::string_view operation) {
  const auto set = setup.quotas.find(operation);
  return set != setup.quotas.end() ? set->second : aws::default_quota(operation, setup.region);
}

// What is called once for each device, by us or by AWS itself.
std::vector<std::string_view> calls_per_device(const TargetSetup& setup) {
  if (setup.way == WayKind::Bulk) return {"RegisterThing", "RegisterCertificate", "AttachPolicy"};
  if (setup.way == WayKind::Jit) return {"RegisterThing", "AttachPolicy"};
  const DirectPlan& plan = setup.direct;
  std::vector<std::string_view> calls = {
      plan.without_ca ? "RegisterCertificateWithoutCA" : "RegisterCertificate",
      "CreateThing",
      "ListThingPrincipals",
      "AttachThingPrincipal"};
  if (!plan.policy.empty()) calls.emplace_back("AttachPolicy");
  if (!plan.thing_group.empty()) calls.emplace_back("AddThingToThingGroup");
  return calls;
}

std::string duration_text(double seconds) {
  if (seconds < 2 * 3600) return fmt::format("{:.0f} min", seconds / 60);
  if (seconds < 2 * 86400) return fmt::format("{:.1f} h", seconds / 3600);
  return fmt::format("{:.1f} days", seconds / 86400);
}

}  // namespace

Pace pace_of(const TargetSetup& setup) {
  std::vector<std::string_view> calls = calls_per_device(setup);
  calls.push_back(aws::kCertificatesPerSecond);
  Pace pace;
  for (const std::string_view call : calls) {
    const double rate = quota_of(setup, call) * setup.share_of_quotas;
    if (!pace.limit.empty() && rate >= pace.per_second) continue;
    pace = {rate, std::string(call)};
  }
  return pace;
}

void check_quotas(const TargetSetup& setup, PreflightFindings& findings) {
  if (setup.way == WayKind::File) return;
  const Pace pace = pace_of(setup);
  findings.good(
      fmt::format("At most {:.3g} devices a second, by {} at {:.0f} % of its quota: "
                  "100,000 devices take {}.",
                  pace.per_second,
                  pace.limit,
                  setup.share_of_quotas * 100,
                  duration_text(kManyDevices / pace.per_second)));
  const double certificates = quota_of(setup, aws::kCertificatesPerSecond);
  for (const std::string_view call : calls_per_device(setup))
    if (aws::adds_certificate(call) && quota_of(setup, call) > certificates)
      findings.warning(fmt::format(
          "{} has a quota of {:g} a second and CertificatesPerSecond of {:g}: the lower "
          "one counts; have both raised, and set both in `quotas`.",
          call,
          quota_of(setup, call),
          certificates));
  for (const std::string_view fixed : kFixedQuotas)
    if (const auto set = setup.quotas.find(fixed);
        set != setup.quotas.end() && set->second > aws::default_quota(fixed, setup.region))
      findings.warning(fmt::format("AWS raises no quota of {}: take it out of `quotas`.", fixed));
}

}  // namespace linesign
