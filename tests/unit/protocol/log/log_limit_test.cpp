#include "protocol/log/log_limit.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace linesign {
namespace {

class LogLimitTest : public testing::Test {
 protected:
  uint64_t admitted(int lines, std::string_view source) {
    uint64_t count = 0;
    for (int i = 0; i < lines; ++i) count += limit_.admit("enrolment", source).has_value() ? 1 : 0;
    return count;
  }

  FakeClock clock_;
  LogLimit limit_{clock_};
};

TEST_F(LogLimitTest, LeavesOutWhatOneSourceRepeats) {
  EXPECT_EQ(admitted(1000, "10.0.0.1"), kLogLinesPerMinute);
}

TEST_F(LogLimitTest, SaysHowManyWereLeftOutAMinuteLater) {
  admitted(1000, "10.0.0.1");
  clock_.advance(std::chrono::minutes(1));
  EXPECT_EQ(limit_.admit("enrolment", "10.0.0.1"), 1000 - kLogLinesPerMinute);
  EXPECT_EQ(limit_.admit("enrolment", "10.0.0.1"), 0U);
}

TEST_F(LogLimitTest, OneSourceDoesNotSilenceAnother) {
  admitted(1000, "10.0.0.1");
  EXPECT_EQ(limit_.admit("enrolment", "10.0.0.2"), 0U);
  EXPECT_EQ(limit_.admit("handshake", "10.0.0.1"), 0U);
}

TEST_F(LogLimitTest, ManySourcesTogetherAreBounded) {
  uint64_t count = 0;
  for (int i = 0; i < 10'000; ++i) count += admitted(1, std::to_string(i));
  EXPECT_EQ(count, kMaxLogSources + kLogLinesPerMinute);
}

TEST_F(LogLimitTest, QuietSourcesMakeRoom) {
  for (size_t i = 0; i < kMaxLogSources; ++i) admitted(1, std::to_string(i));
  clock_.advance(std::chrono::minutes(1));
  EXPECT_EQ(admitted(kLogLinesPerMinute, "new"), kLogLinesPerMinute);
  EXPECT_EQ(admitted(kLogLinesPerMinute, "newer"), kLogLinesPerMinute);
}

TEST_F(LogLimitTest, NoisySourcesMakeRoomTooAndWhatTheyLeftOutIsTold) {
  constexpr uint64_t kLeftOut = 3;
  for (size_t i = 0; i < kMaxLogSources; ++i)
    admitted(kLogLinesPerMinute + kLeftOut, std::to_string(i));
  EXPECT_EQ(admitted(kLogLinesPerMinute + kLeftOut, "one of the rest"), kLogLinesPerMinute);
  clock_.advance(std::chrono::minutes(1));
  EXPECT_EQ(limit_.admit("enrolment", "new"), (kMaxLogSources + 1) * kLeftOut);
  EXPECT_EQ(admitted(kLogLinesPerMinute, "newer"), kLogLinesPerMinute);
  EXPECT_EQ(limit_.admit("enrolment", "newest"), 0U) << "told once";
}

TEST_F(LogLimitTest, YoungSourcesMakeNoRoom) {
  admitted(1, "old");
  clock_.advance(std::chrono::seconds(59));
  for (size_t i = 1; i < kMaxLogSources; ++i) admitted(1000, std::to_string(i));
  clock_.advance(std::chrono::seconds(1));
  EXPECT_EQ(limit_.admit("enrolment", "new"), 0U);
  EXPECT_EQ(admitted(1000, "1"), 0U) << "it has had its lines";
}

}  // namespace
}  // namespace linesign
