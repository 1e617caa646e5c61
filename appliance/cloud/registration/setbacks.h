// Setbacks: devices that failed, until it is known whether that is about them or about all.
//
// A refused device is failed only if AWS refuses it again, with the same error at the same call,
// after another device that was begun later than its first refusal got that call through. So a
// fault of the set-up fails nobody, however slow the line is, and those that it kept out get
// through after the repair. What AWS fails at without refusing it (a policy that excludes the
// device's name, a limit that its thing has reached, a fault inside) may pass: while others get
// through it counts once a minute, and the tenth time fails the device.
//
// Nothing of this is kept beyond the process: a new one knows of no refusal, and fails nobody by
// it.
//
// Memory   about 150 bytes for each device that is set aside
// Threads  one at a time
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_SETBACKS_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_SETBACKS_H_

#include <array>
#include <map>
#include <optional>
#include <vector>

#include "appliance/cloud/registration/verdict.h"
#include "protocol/base/clock.h"

namespace linesign {

class Setbacks final {
 public:
  // A moment among the refusals.
  using Moment = uint64_t;

  // Borrowed.
  explicit Setbacks(const Clock& clock) : clock_(clock) {}

  Moment now() const { return now_; }

  // REQUIRES: refused for good (parked), or may_be_alone(*outcome.hold). A booking: the device is
  // to be failed, it was refused again. Absent: set aside.
  std::optional<CloudBooking> add(DeviceOutcome outcome);

  // This device is registered; it was begun at `begun` with these steps done. Gives what is to be
  // booked of devices whose failure may pass.
  std::vector<CloudBooking> got_through(uint64_t issuance_id, Moment begun, uint32_t steps_before);

 private:
  struct Refusal {
    uint32_t code = 0;
    size_t call = 0;  // the step at which it was refused
    Moment first = 0;
  };
  static constexpr size_t kCalls = 8;

  std::optional<CloudBooking> judge(const CloudBooking& refused);
  std::optional<CloudBooking> count(const DeviceOutcome& outcome);

  const Clock& clock_;
  Moment now_ = 0;                       // refusals so far
  std::array<Moment, kCalls> passed_{};  // the latest beginning of one that passed this call
  std::map<uint64_t, Refusal> refused_;  // by number in the ledger
  std::map<uint64_t, DeviceOutcome> may_pass_;
  std::map<uint64_t, SteadyTime> counted_at_;  // for a minute
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_SETBACKS_H_
