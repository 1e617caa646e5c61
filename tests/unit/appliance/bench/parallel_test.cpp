#include "appliance/bench/parallel.h"

#include <atomic>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

namespace linesign::bench {
namespace {

TEST(Parallel, DoesEachStepOnce) {
  for (const unsigned threads : {1U, 2U, 5U}) {
    std::vector<int> done(1000);
    ASSERT_TRUE(for_each_in_parallel(done.size(), threads, [&](size_t i) -> Result<void> {
                  ++done[i];
                  return {};
                }).has_value());
    EXPECT_EQ(std::accumulate(done.begin(), done.end(), 0), 1000);
    EXPECT_EQ(*std::max_element(done.begin(), done.end()), 1);
  }
}

TEST(Parallel, StopsAtAnErrorAndReturnsIt) {
  std::atomic<size_t> done = 0;
  const auto result = for_each_in_parallel(1'000'000, 3, [&](size_t i) -> Result<void> {
    ++done;
    if (i == 10) return fail(ErrorCode::Interrupted, "ten");
    return {};
  });
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().detail(), "ten");
  EXPECT_LT(done, 1'000'000U);
}

TEST(Parallel, TellsTheCallingThreadHowFarItIs) {
  size_t last = 0;
  ASSERT_TRUE(
      for_each_in_parallel(
          50, 1, [](size_t) -> Result<void> { return {}; }, [&](size_t done) { last = done; })
          .has_value());
  EXPECT_EQ(last, 50U);
}

TEST(Parallel, OfNothingIsNothing) {
  EXPECT_TRUE(for_each_in_parallel(0, 4, [](size_t) -> Result<void> {
                return fail(ErrorCode::Internal);
              }).has_value());
}

}  // namespace
}  // namespace linesign::bench
