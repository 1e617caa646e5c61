// Latency: the times of many requests, and the percentiles of them.
//
// Units    microseconds; a time beyond 71 minutes counts as 71 minutes
// Threads  one at a time
#ifndef LINESIGN_APPLIANCE_BENCH_LATENCY_H_
#define LINESIGN_APPLIANCE_BENCH_LATENCY_H_

#include <chrono>
#include <cstdint>
#include <vector>

#include "protocol/base/clock.h"

namespace linesign::bench {

inline SteadyTime now() { return std::chrono::steady_clock::now(); }

// Nearest rank: p99 is the smallest time that at least 99 % of the requests did not exceed. All
// zero when there was none.
struct LatencySummary {
  uint64_t count = 0;
  std::chrono::microseconds p50{};
  std::chrono::microseconds p90{};
  std::chrono::microseconds p99{};
  std::chrono::microseconds p999{};
  std::chrono::microseconds max{};
};

// Keeps every time: the percentiles are exact, at four bytes a request.
class LatencyRecorder final {
 public:
  void add(std::chrono::microseconds time);
  uint64_t count() const { return times_.size(); }
  LatencySummary summarize() const;

 private:
  std::vector<uint32_t> times_;
};

}  // namespace linesign::bench

#endif  // LINESIGN_APPLIANCE_BENCH_LATENCY_H_
