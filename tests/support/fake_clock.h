// FakeClock: a clock that a test sets.
#ifndef LINESIGN_TESTS_SUPPORT_FAKE_CLOCK_H_
#define LINESIGN_TESTS_SUPPORT_FAKE_CLOCK_H_

#include "protocol/base/clock.h"

namespace linesign {

class FakeClock final : public Clock {
 public:
  explicit FakeClock(UnixTime now = UnixTime(std::chrono::seconds(1'800'000'000))) : now_(now) {}

  UnixTime now() const override { return now_; }
  SteadyTime steady() const override { return steady_; }

  void advance(std::chrono::seconds time) {
    now_ += time;
    steady_ += time;
  }
  // Only the calendar, as when somebody sets it.
  void set(UnixTime now) { now_ = now; }

 private:
  UnixTime now_;
  SteadyTime steady_{std::chrono::hours(1)};
};

}  // namespace linesign

#endif  // LINESIGN_TESTS_SUPPORT_FAKE_CLOCK_H_
