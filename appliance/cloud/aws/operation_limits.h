// OperationLimits: how many calls a second AWS lets an account make, by operation.
//
// The values are the service's defaults; a raised quota comes from the configuration. linesign uses
// 80 % of each where nothing else is said, because others may use the same account.
//
// Threads  no state, safe anywhere
// Source   AWS IoT Core endpoints and quotas, "API rate limits"
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_OPERATION_LIMITS_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_OPERATION_LIMITS_H_

#include <span>
#include <string_view>

namespace linesign::aws {

constexpr double kShareOfQuota = 0.8;

// All operations that add a device certificate count against this one too.
constexpr std::string_view kCertificatesPerSecond = "CertificatesPerSecond";

struct OperationLimit {
  std::string_view operation;
  double per_second;
  double in_select_regions;  // where the default is lower
};

std::span<const OperationLimit> operation_limits();

// AWS's default for this operation; 10 for one that is not in the list.
double default_quota(std::string_view operation, std::string_view region);

// Does it count against CertificatesPerSecond?
bool adds_certificate(std::string_view operation);

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_OPERATION_LIMITS_H_
