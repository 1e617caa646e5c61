#include "protocol/base/clock.h"

#include <gtest/gtest.h>

namespace linesign {
namespace {

TEST(Clock, WritesIso8601InUtc) {
  EXPECT_EQ(to_iso8601(UnixTime()), "1970-01-01T00:00:00Z");
  EXPECT_EQ(to_iso8601(UnixTime(std::chrono::seconds(1709251199))), "2024-02-29T23:59:59Z");
  EXPECT_EQ(to_iso8601(UnixTime(std::chrono::seconds(253402300799))), "9999-12-31T23:59:59Z");
}

TEST(Clock, SystemClockIsTodayAndDoesNotRunBackwards) {
  const SystemClock clock;
  const auto system = std::chrono::system_clock::now();
  EXPECT_LT(std::chrono::abs(clock.now() - system), std::chrono::seconds(5));
  const SteadyTime first = clock.steady();
  EXPECT_LE(first, clock.steady());
}

}  // namespace
}  // namespace linesign
