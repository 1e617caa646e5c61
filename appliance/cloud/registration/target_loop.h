// TargetLoop: keeps one target at work: step after step, waiting where nobody gets further.
//
// A wait after an obstacle grows from 1 s to 60 s with jitter and is over at the first success.
// Before the first step, and after each obstacle that a person may have removed, what the steps
// need is prepared.
//
// Threads  run() on a thread of its own; the progress may be read from anywhere
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_TARGET_LOOP_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_TARGET_LOOP_H_

#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "appliance/cloud/aws/pause.h"
#include "appliance/cloud/registration/way.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"

namespace linesign {

enum class RunMode : uint8_t {
  Serve,      // until it is stopped
  UntilIdle,  // until nothing waits, however long that takes
  Once,       // until nothing waits or nobody gets further
};

struct TargetProgress {
  enum class State : uint8_t { Working, Idle, Held, Ended };
  State state = State::Working;
  UnixTime since{};
  std::optional<Error> hold;
  uint64_t registered = 0;  // since the start
  uint64_t parked = 0;
};

struct LoopParts {
  Way* way = nullptr;  // borrowed
  std::function<Result<void>()> prepare;
  aws::Pause* pause = nullptr;                                     // borrowed
  const Clock* clock = nullptr;                                    // borrowed
  std::function<void(const std::optional<Error>& hold)> on_hold;   // a change; absent: it is over
  std::function<void(const std::string& note)> on_note = nullptr;  // may be absent
};

class TargetLoop final {
 public:
  explicit TargetLoop(LoopParts parts);

  // Nothing: it came to its end or was stopped. An error: Once, and something still waits.
  std::optional<Error> run(RunMode mode);

  TargetProgress progress() const;

 private:
  WayStep step();
  bool wait_held(const Error& error);
  void count(const WayStep& step);
  void note(const WayStep& step);

  const LoopParts parts_;
  mutable std::mutex mutex_;
  TargetProgress progress_;
  bool is_prepared_ = false;
  int holds_ = 0;  // in a row
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_TARGET_LOOP_H_
