// WorkRound: several threads work through a list of devices and book what became of them.
//
// When one of them finds that nobody gets further, the others finish the call they are in, and the
// rest of the list stays as it is. What is done is booked in any case. A failure inside of AWS
// (AwsUnavailable) may be about one device: it counts for all when it comes ten times in a row, or
// when nobody got through.
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

namespace linesign {

struct RoundResult {
  uint64_t registered = 0;
  uint64_t parked = 0;
  std::optional<Error> hold;  // of AWS, or of the outbox
};

// Makes one worker's function. Called on the caller's thread.
using MakeWorker = std::function<Result<std::function<DirectOutcome(const CloudItem&)>>()>;

RoundResult run_round(Outbox& outbox,
                      const std::string& target,
                      const std::vector<CloudItem>& items,
                      size_t threads,
                      const MakeWorker& make_worker);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_WORK_ROUND_H_
