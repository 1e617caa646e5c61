#include "appliance/signers/signing_pace.h"

#include <gtest/gtest.h>

namespace linesign {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kMost = 8;

void record(SigningPace& pace, microseconds time, int count = 100) {
  for (int i = 0; i < count; ++i) pace.record(time);
}

TEST(SigningPace, FillsBatchesUntilItKnowsBetter) {
  EXPECT_EQ(SigningPace(seconds(2)).batch_items(kMost), kMost);
}

TEST(SigningPace, GivesASlowHsmOneAtATime) {
  SigningPace pace{seconds(2)};
  record(pace, milliseconds(250));
  EXPECT_EQ(pace.batch_items(kMost), 1U);
}

TEST(SigningPace, GivesABatchWhatItsTimeAllows) {
  SigningPace pace{seconds(2)};
  record(pace, milliseconds(10));
  EXPECT_EQ(pace.batch_items(kMost), 4U);
  record(pace, microseconds(50));
  EXPECT_EQ(pace.batch_items(kMost), kMost);
  EXPECT_EQ(pace.batch_items(2), 2U);
}

TEST(SigningPace, ForgetsOneSlowSignature) {
  SigningPace pace{seconds(2)};
  record(pace, microseconds(50));
  pace.record(seconds(1));
  record(pace, microseconds(50));
  EXPECT_EQ(pace.batch_items(kMost), kMost);
}

TEST(SigningPace, TellsTheFirstMeasureAndAnotherOne) {
  SigningPace pace{seconds(2)};
  SteadyTime now;
  EXPECT_FALSE(pace.take_news(now));
  record(pace, milliseconds(1));
  const auto first = pace.take_news(now);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->typical, milliseconds(1));
  EXPECT_FALSE(first->is_slow);
  now += seconds(60);
  EXPECT_FALSE(pace.take_news(now)) << "nothing has changed";
  record(pace, milliseconds(5));
  EXPECT_TRUE(pace.take_news(now));
}

TEST(SigningPace, WarnsOfOneSignatureThatCameNearTheTimeout) {
  SigningPace pace{seconds(2)};
  SteadyTime now;
  record(pace, milliseconds(1));
  ASSERT_TRUE(pace.take_news(now));
  pace.record(milliseconds(1100));
  record(pace, milliseconds(1));
  EXPECT_FALSE(pace.take_news(now + seconds(1))) << "not each second";
  const auto news = pace.take_news(now + seconds(60));
  ASSERT_TRUE(news);
  EXPECT_TRUE(news->is_slow);
  EXPECT_EQ(news->slowest, milliseconds(1100));
  EXPECT_FALSE(pace.take_news(now + seconds(120)));
}

}  // namespace
}  // namespace linesign
