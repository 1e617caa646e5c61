#include "appliance/cloud/aws/pause.h"

namespace linesign::aws {

bool StoppablePause::wait(std::chrono::nanoseconds time) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, time, [this] { return stopped_; });
}

void StoppablePause::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
}

}  // namespace linesign::aws
