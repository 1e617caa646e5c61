// WorkRound: several threads work through a list of devices and book what became of them.
//
// When one of them finds that nobody gets further, the others finish the call they are in, and the
// rest of the list stays as it is. What is done is booked in any case. While a call hangs, what the
// others have done is booked, and they take devices that came meanwhile. What AWS refuses, and a
// hold that may_be_alone(), is set aside (setbacks.h): ten of them in a row stop the round, and a
// round in which nobody gets through ends with a hold, of one device too.
//
// Threads  run() returns after the last of its threads
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_WORK_ROUND_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_WORK_ROUND_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "appliance/cloud/registration/direct_registrar.h"
#include "appliance/cloud/registration/outbox.h"
#include "appliance/cloud/registration/setbacks.h"

namespace linesign {

struct RoundResult {
  uint64_t registered = 0;
  uint64_t parked = 0;
  std::optional<Error> hold;  // of AWS, or of the outbox
  // Stopped by ten in a row, the last of which is this one: those behind it may get through.
  std::optional<uint64_t> stuck_at;
};

// Makes one worker's function. Called on the caller's thread.
using MakeWorker = std::function<Result<std::function<DeviceOutcome(const CloudItem&)>>()>;

RoundResult run_round(Outbox& outbox,
                      const std::string& target,
                      const std::vector<CloudItem>& items,
                      size_t threads,
                      const MakeWorker& make_worker,
                      Setbacks& setbacks);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_WORK_ROUND_H_
