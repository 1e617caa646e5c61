// Preflight of things: whose they may be, which device ids can be things, and what the policy that
// their certificates get allows.
//
// Source   AWS IoT Developer Guide, "AWS IoT Core policies"; docs/aws.md
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PREFLIGHT_THINGS_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PREFLIGHT_THINGS_H_

#include "appliance/cloud/registration/preflight_findings.h"
#include "appliance/cloud/registration/target_setup.h"

namespace linesign {

// Device ids that no thing here can have, and things of somebody else.
void check_thing_names(const TargetSetup& setup, aws::IotClient& iot, PreflightFindings& findings);

// Is it there, and is it about this account and region? An empty name: none is wanted.
void check_policy(const TargetSetup& setup,
                  const std::string& name,
                  aws::IotClient& iot,
                  PreflightFindings& findings);

// A policy's document, JSON. `what` begins the sentences about it.
void check_policy_document(const TargetSetup& setup,
                           const std::string& what,
                           const std::string& document,
                           PreflightFindings& findings);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PREFLIGHT_THINGS_H_
