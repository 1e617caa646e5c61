// PendingDevices: devices that are still to be registered at a target, by the CA that signed them.
// After a change of the CA an older one is still needed while some of its devices wait.
//
// Errors   of Outbox
// Threads  one
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PENDING_DEVICES_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PENDING_DEVICES_H_

#include <cstdint>
#include <map>
#include <string>

#include "appliance/cloud/registration/outbox.h"

namespace linesign {

struct PendingDevices {
  std::map<std::string, uint64_t> by_ca;  // id of the CA, see issuer_id
  bool is_all = true;                     // false: the look ended before the last one
};

// Those that wait, are in a task or have failed; looks at `most` and no more. Takes in what was
// issued meanwhile, as each claim does.
Result<PendingDevices> count_pending(Outbox& outbox, const std::string& target, uint64_t most);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_PENDING_DEVICES_H_
