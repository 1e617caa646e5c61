// EventLoop: one thread that waits for file descriptors, timers and work posted by other threads.
//
// Ownership  a Watch or Timer stops when it is destroyed, also from inside its own callback; the
//            loop must outlive both
// Threads    post() and stop() from any thread; everything else only on the loop's thread or before
//            run()
// Source     libevent 2.1 (epoll, timer heap)
#ifndef LINESIGN_PROTOCOL_EVENT_EVENT_LOOP_H_
#define LINESIGN_PROTOCOL_EVENT_EVENT_LOOP_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "protocol/base/result.h"

namespace linesign {

// What a descriptor is ready for. A hang-up or error counts as both.
struct Readiness {
  bool read = false;
  bool write = false;
};

class Watch {
 public:
  Watch() = default;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  virtual ~Watch() = default;
  // Changes what is waited for; {false, false} pauses.
  virtual void wait_for(Readiness wanted) = 0;
};

class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer() = default;
  // Starts or restarts; runs once.
  virtual void start(std::chrono::milliseconds delay) = 0;
  virtual void stop() = 0;
};

class EventLoop final {
 public:
  static Result<std::unique_ptr<EventLoop>> create();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  ~EventLoop();

  // Level-triggered. The descriptor stays the caller's and must outlive the Watch.
  std::unique_ptr<Watch> watch(int fd, Readiness wanted, std::function<void(Readiness)> on_ready);

  // Not started yet.
  std::unique_ptr<Timer> make_timer(std::function<void()> on_time);

  // Calls `on_signal` on the loop's thread when the process gets the signal.
  std::unique_ptr<Watch> watch_signal(int signal_number, std::function<void()> on_signal);

  // Runs `work` on the loop's thread, soon, in order. Never runs it inline.
  void post(std::function<void()> work);

  // Until stop().
  void run();
  void stop();

 private:
  class Implementation;
  explicit EventLoop(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_EVENT_EVENT_LOOP_H_
