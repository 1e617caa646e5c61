// Pause: a wait that a stop cuts short.
//
// Threads  safe anywhere
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_PAUSE_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_PAUSE_H_

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace linesign::aws {

class Pause {
 public:
  Pause() = default;
  Pause(const Pause&) = delete;
  Pause& operator=(const Pause&) = delete;
  virtual ~Pause() = default;

  // False: stopped, now or before.
  virtual bool wait(std::chrono::nanoseconds time) = 0;
};

class StoppablePause final : public Pause {
 public:
  bool wait(std::chrono::nanoseconds time) override;
  // Ends every wait, also those to come.
  void stop();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_PAUSE_H_
