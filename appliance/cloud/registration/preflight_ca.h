// Preflight of the CA: what AWS IoT takes, and other CAs of the same subject in the account.
//
// Source   AWS IoT Developer Guide, "X.509 client certificates", "Manage your CA certificates"
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PREFLIGHT_CA_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PREFLIGHT_CA_H_

#include "appliance/cloud/registration/preflight_findings.h"
#include "appliance/cloud/registration/target_setup.h"
#include "protocol/base/clock.h"

namespace linesign {

// Algorithms, sizes and validity of the CA; keys and times of the profile. Asks nobody.
void check_certificate_forms(const TargetSetup& setup, UnixTime now, PreflightFindings& findings);

// Registered, ACTIVE, in the right mode; for way jit ready to provision.
void check_ca_registration(const TargetSetup& setup,
                           const aws::Session& session,
                           aws::IotClient& iot,
                           PreflightFindings& findings);

// Those that devices still to come need beside the present one.
void check_former_cas(const TargetSetup& setup,
                      const aws::Session& session,
                      aws::IotClient& iot,
                      PreflightFindings& findings);

// One call for each CA of the account, up to kMaxComparedCas.
constexpr size_t kMaxComparedCas = 200;
void check_same_subject(const TargetSetup& setup, aws::IotClient& iot, PreflightFindings& findings);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PREFLIGHT_CA_H_
