// Preflight of quotas: how fast this target can be, and what stands in its way.
//
// From AWS's defaults and from [[aws.target]] quotas; the account itself is not asked, because only
// the Service Quotas service knows, and nobody else needs its permission.
//
// Source   AWS IoT endpoints and quotas; docs/aws.md
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PREFLIGHT_QUOTAS_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PREFLIGHT_QUOTAS_H_

#include "appliance/cloud/registration/preflight_findings.h"
#include "appliance/cloud/registration/target_setup.h"

namespace linesign {

struct Pace {
  double per_second = 0;  // devices
  std::string limit;      // the operation that decides
};

// Devices a second of this target alone, with its share of the quotas.
Pace pace_of(const TargetSetup& setup);

void check_quotas(const TargetSetup& setup, PreflightFindings& findings);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PREFLIGHT_QUOTAS_H_
