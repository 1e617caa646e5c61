#include "appliance/cloud/aws/operation_limits.h"

#include <algorithm>
#include <array>

namespace linesign::aws {
namespace {

constexpr double kOtherwise = 10;

// What is not here has kOtherwise: certificates, CAs, policies and registration tasks.
constexpr std::array<OperationLimit, 19> kLimits = {{
    {"AddThingToThingGroup", 100, 60},
    {"AssumeRole", 10, 10},
    {"AssumeRoleWithWebIdentity", 10, 10},
    {"AttachPolicy", 15, 15},
    {"AttachThingPrincipal", 100, 50},
    {kCertificatesPerSecond, 15, 15},
    {"CreateSession", 1, 1},
    {"CreateThing", 100, 50},
    {"DescribeThing", 350, 350},
    {"DescribeThingGroup", 100, 100},
    {"DescribeThingType", 100, 50},
    {"DetachPolicy", 15, 15},
    {"DetachThingPrincipal", 100, 50},
    {"HeadBucket", 100, 100},
    {"HeadObject", 100, 100},
    {"ListAttachedPolicies", 15, 15},
    {"ListThingPrincipals", 20, 20},
    {"PutObject", 100, 100},
    {"UpdateThing", 100, 50},
}};

constexpr std::array<std::string_view, 12> kSelectRegions = {"ap-east-1",
                                                             "ap-southeast-5",
                                                             "ca-central-1",
                                                             "cn-northwest-1",
                                                             "eu-north-1",
                                                             "eu-south-2",
                                                             "eu-west-3",
                                                             "me-central-1",
                                                             "me-south-1",
                                                             "us-gov-east-1",
                                                             "us-gov-west-1",
                                                             "us-west-1"};

constexpr std::array<std::string_view, 3> kAddCertificate = {
    "RegisterCertificate", "RegisterCertificateWithoutCA", "RegisterThing"};

}  // namespace

std::span<const OperationLimit> operation_limits() { return kLimits; }

double default_quota(std::string_view operation, std::string_view region) {
  const auto* const row = std::find_if(kLimits.begin(), kLimits.end(), [&](const auto& each) {
    return each.operation == operation;
  });
  if (row == kLimits.end()) return kOtherwise;
  const bool is_select =
      std::find(kSelectRegions.begin(), kSelectRegions.end(), region) != kSelectRegions.end();
  return is_select ? row->in_select_regions : row->per_second;
}

bool adds_certificate(std::string_view operation) {
  return std::find(kAddCertificate.begin(), kAddCertificate.end(), operation) !=
         kAddCertificate.end();
}

}  // namespace linesign::aws
