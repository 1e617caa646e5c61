#include "appliance/bench/latency.h"

#include <algorithm>
#include <limits>

namespace linesign::bench {
namespace {

constexpr uint64_t kPerMille = 1000;

// REQUIRES: `sorted` is not empty.
std::chrono::microseconds percentile(const std::vector<uint32_t>& sorted, uint64_t per_mille) {
  const uint64_t rank = (sorted.size() * per_mille + kPerMille - 1) / kPerMille;
  return std::chrono::microseconds(sorted[std::max<uint64_t>(rank, 1) - 1]);
}

}  // namespace

void LatencyRecorder::add(std::chrono::microseconds time) {
  constexpr int64_t kLongest = std::numeric_limits<uint32_t>::max();
  times_.push_back(static_cast<uint32_t>(std::clamp<int64_t>(time.count(), 0, kLongest)));
}

LatencySummary LatencyRecorder::summarize() const {
  if (times_.empty()) return {};
  std::vector<uint32_t> sorted = times_;
  std::sort(sorted.begin(), sorted.end());
  return {.count = sorted.size(),
          .p50 = percentile(sorted, 500),
          .p90 = percentile(sorted, 900),
          .p99 = percentile(sorted, 990),
          .p999 = percentile(sorted, 999),
          .max = std::chrono::microseconds(sorted.back())};
}

}  // namespace linesign::bench
