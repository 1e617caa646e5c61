// Preflight of a provisioning template: would its lines, or devices at their first connection,
// pass?
//
// Source   AWS IoT Developer Guide, "Provisioning templates", "Just-in-time provisioning"
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PREFLIGHT_TEMPLATE_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PREFLIGHT_TEMPLATE_H_

#include "appliance/cloud/registration/preflight_findings.h"
#include "appliance/cloud/registration/target_setup.h"

namespace linesign {

// Parameters against those of a line, form, and what the template names in the account.
void check_bulk_template(const TargetSetup& setup,
                         aws::IotClient& iot,
                         PreflightFindings& findings);

// Parameters against the subject that the profile makes; the template from the configuration, or
// the one of the account.
void check_jit_template(const TargetSetup& setup, aws::IotClient& iot, PreflightFindings& findings);

// Are these there and usable? An empty name: none is wanted. (Policies: preflight_things.h.)
void check_thing_type(const std::string& name, aws::IotClient& iot, PreflightFindings& findings);
void check_thing_group(const std::string& name, aws::IotClient& iot, PreflightFindings& findings);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PREFLIGHT_TEMPLATE_H_
