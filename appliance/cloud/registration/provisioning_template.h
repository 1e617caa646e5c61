// What a provisioning template says of the certificates and things that AWS registers by it.
//
// Threads  plain functions
// Source   AWS IoT Core Developer Guide, "Provisioning templates"
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PROVISIONING_TEMPLATE_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PROVISIONING_TEMPLATE_H_

#include <map>
#include <optional>
#include <string>

#include "appliance/cloud/aws/iot_types.h"

namespace linesign {

// False: each is ACTIVE, by the template's word or by AWS's default. True: not so, or it cannot be
// told from here, as with a status that is a parameter or a body that is not known.
bool may_leave_inactive(const std::string& template_body);

// The thing that the template makes of these parameters. Absent: none, or its name cannot be told.
std::optional<aws::Thing> thing_of(const std::string& template_body,
                                   const std::map<std::string, std::string>& parameters);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PROVISIONING_TEMPLATE_H_
