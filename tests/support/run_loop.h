// Runs an event loop on this thread until something is so.
#ifndef LINESIGN_TESTS_SUPPORT_RUN_LOOP_H_
#define LINESIGN_TESTS_SUPPORT_RUN_LOOP_H_

#include <chrono>
#include <memory>

#include "protocol/event/event_loop.h"

namespace linesign::test {

constexpr std::chrono::seconds kLoopPatience{30};  // of a loaded machine; no test waits for its end

// Asks `condition` first at once and then `every` so often, on the loop's thread. False: not in
// time.
template <typename Condition>
bool run_loop_until(EventLoop& loop,
                    Condition condition,
                    std::chrono::milliseconds every = std::chrono::milliseconds(2)) {
  const auto deadline = std::chrono::steady_clock::now() + kLoopPatience;
  bool is_met = false;
  std::unique_ptr<Timer> poll;
  poll = loop.make_timer([&] {
    is_met = condition();
    if (is_met || std::chrono::steady_clock::now() > deadline) return loop.stop();
    poll->start(every);
  });
  poll->start(std::chrono::milliseconds(0));
  loop.run();
  return is_met;
}

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_SUPPORT_RUN_LOOP_H_
