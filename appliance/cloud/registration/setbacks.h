// Setbacks: devices that failed, until it is known whether that is about them or about all.
//
// A device that AWS refuses is parked when others get through, and so is one at which AWS fails
// again and again: by a policy that excludes its name, a limit that its thing has reached, a fault
// inside. Such a failure may pass, so it counts once a minute, and the tenth parks. While nobody
// gets through, nothing is counted against anybody.
//
// Memory   about 200 bytes for each device that is set aside
// Threads  one at a time
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_SETBACKS_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_SETBACKS_H_

#include <map>
#include <vector>

#include "appliance/cloud/registration/verdict.h"
#include "protocol/base/clock.h"

namespace linesign {

class Setbacks final {
 public:
  // Borrowed.
  explicit Setbacks(const Clock& clock) : clock_(clock) {}

  // REQUIRES: refused for good (parked), or may_be_alone(*outcome.hold).
  void add(DeviceOutcome outcome);
  // Others got through: what is to be booked. Nothing is set aside any more.
  std::vector<CloudBooking> settle();
  // There is nobody to compare with: those that AWS refuses for good.
  std::vector<CloudBooking> settle_refused();

 private:
  std::optional<CloudBooking> count(const DeviceOutcome& outcome);

  const Clock& clock_;
  std::map<uint64_t, DeviceOutcome> aside_;    // by number in the ledger
  std::map<uint64_t, SteadyTime> counted_at_;  // for a minute
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_SETBACKS_H_
