// SigningPace: how long the HSM takes for a signature, and what follows from it.
//
// A batch is what one session does in kBatchTime: on a slow HSM one signature, so that every
// session has work as long as there is any and nothing waits behind more than one other.
//
// Threads  one at a time
#ifndef LINESIGN_APPLIANCE_SIGNERS_SIGNING_PACE_H_
#define LINESIGN_APPLIANCE_SIGNERS_SIGNING_PACE_H_

#include <chrono>
#include <cstddef>
#include <optional>

#include "protocol/base/clock.h"

namespace linesign {

constexpr std::chrono::milliseconds kBatchTime(40);

// What is worth a line in the log.
struct PaceNews {
  std::chrono::microseconds typical{0};
  std::chrono::microseconds slowest{0};  // since the last line
  bool is_slow = false;                  // it took more than half of what a signature may take
};

class SigningPace final {
 public:
  explicit SigningPace(std::chrono::milliseconds sign_timeout) : sign_timeout_(sign_timeout) {}

  void record(std::chrono::microseconds time);

  std::chrono::microseconds typical() const { return typical_; }
  size_t batch_items(size_t maximum) const;

  // Absent: nothing new. The first measure, another one by a factor of two, or a signature that
  // came near the timeout: at most one each kNewsPeriod.
  std::optional<PaceNews> take_news(SteadyTime now);

 private:
  std::chrono::milliseconds sign_timeout_;
  std::chrono::microseconds typical_{0};  // a moving mean; 0: nothing is known
  std::chrono::microseconds slowest_{0};
  std::chrono::microseconds told_{0};
  std::optional<SteadyTime> told_at_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_SIGNERS_SIGNING_PACE_H_
