// StopSignal: SIGTERM and SIGINT as something to wait for.
//
// Threads  made before any other thread, because a signal mask is inherited
#ifndef LINESIGN_APPLIANCE_CLOUD_UPLOADER_STOP_SIGNAL_H_
#define LINESIGN_APPLIANCE_CLOUD_UPLOADER_STOP_SIGNAL_H_

#include <chrono>

#include "protocol/base/result.h"
#include "protocol/base/unique_fd.h"

namespace linesign {

enum class Woken : uint8_t { Timeout, Stop, Finished };

class StopSignal final {
 public:
  // Blocks the signals for this thread and all that it starts.
  static Result<StopSignal> create();

  // Until a signal comes, finish() was called, or the time is up.
  Woken wait(std::chrono::milliseconds limit) const;

  // Wakes wait() from another thread.
  void finish() const;

 private:
  StopSignal(UniqueFd signals, UniqueFd finished)
      : signals_(std::move(signals)), finished_(std::move(finished)) {}
  UniqueFd signals_;
  UniqueFd finished_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_UPLOADER_STOP_SIGNAL_H_
