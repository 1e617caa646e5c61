#include "appliance/bench/latency.h"

#include <gtest/gtest.h>

namespace linesign::bench {
namespace {

using std::chrono::microseconds;

LatencySummary summary_of(const std::vector<int64_t>& times) {
  LatencyRecorder recorder;
  for (const int64_t time : times) recorder.add(microseconds(time));
  return recorder.summarize();
}

TEST(Latency, OfNothingIsZero) {
  const LatencySummary summary = LatencyRecorder().summarize();
  EXPECT_EQ(summary.count, 0U);
  EXPECT_EQ(summary.p50, microseconds(0));
  EXPECT_EQ(summary.max, microseconds(0));
}

TEST(Latency, OfOneRequestIsItsTime) {
  const LatencySummary summary = summary_of({700});
  EXPECT_EQ(summary.count, 1U);
  EXPECT_EQ(summary.p50, microseconds(700));
  EXPECT_EQ(summary.p999, microseconds(700));
  EXPECT_EQ(summary.max, microseconds(700));
}

TEST(Latency, PercentilesAreNearestRanks) {
  std::vector<int64_t> times;
  for (int64_t i = 1000; i >= 1; --i) times.push_back(i);
  const LatencySummary summary = summary_of(times);
  EXPECT_EQ(summary.p50, microseconds(500));
  EXPECT_EQ(summary.p90, microseconds(900));
  EXPECT_EQ(summary.p99, microseconds(990));
  EXPECT_EQ(summary.p999, microseconds(999));
  EXPECT_EQ(summary.max, microseconds(1000));
}

TEST(Latency, OneSlowRequestOfTenIsTheP99AndNotTheP90) {
  const LatencySummary summary = summary_of({1, 1, 1, 1, 1, 1, 1, 1, 1, 900});
  EXPECT_EQ(summary.p90, microseconds(1));
  EXPECT_EQ(summary.p99, microseconds(900));
}

TEST(Latency, KeepsToItsRange) {
  const LatencySummary summary = summary_of({-5, int64_t{1} << 40});
  EXPECT_EQ(summary.p50, microseconds(0));
  EXPECT_EQ(summary.max, microseconds(UINT32_MAX));
}

}  // namespace
}  // namespace linesign::bench
