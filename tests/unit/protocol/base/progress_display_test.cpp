#include "protocol/base/progress_display.h"

#include <array>
#include <memory>

#include <gtest/gtest.h>

namespace linesign {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ProgressLineTest, SaysHowFarItIsAndHowLongItTakes) {
  EXPECT_EQ(progress_line({500, 500, "50 parked"}, 10, 10),
            "[#####.....] 500 of 1,000  50 %  10.0/s  50 s left  50 parked");
  EXPECT_EQ(progress_line({0, 7200}, 1, 0), "0 of 7,200  0 %  1.0/s  2 h 0 min left");
  EXPECT_EQ(progress_line({0, 600}, 1, 0), "0 of 600  0 %  1.0/s  10 min left");
  EXPECT_EQ(progress_line({0, 5}, 0, 0), "0 of 5  0 %  0.0/s  waiting");
  EXPECT_EQ(progress_line({0, 0}, 0, 4), "[####] 0 of 0  100 %  0.0/s  done");
  EXPECT_EQ(progress_line({12'345, std::nullopt}, 4.25, 4), "12,345 done  4.2/s");
}

TEST(ProgressLineTest, ARateOfHundredsHasNoFraction) {
  EXPECT_EQ(progress_line({1, std::nullopt}, 99.94, 0), "1 done  99.9/s");
  EXPECT_EQ(progress_line({1, std::nullopt}, 3199.6, 0), "1 done  3,200/s");
}

TEST(GroupedNumbers, HaveCommas) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(1234567), "1,234,567");
}

class ProgressDisplayTest : public testing::Test {
 protected:
  std::string shown() {
    std::array<char, 4096> text{};
    std::rewind(screen_.get());
    const size_t size = std::fread(text.data(), 1, text.size(), screen_.get());
    return {text.data(), size};
  }

  std::unique_ptr<std::FILE, int (*)(std::FILE*)> screen_{std::tmpfile(), &std::fclose};
  SteadyTime start_ = SteadyTime(std::chrono::hours(1));
};

TEST_F(ProgressDisplayTest, ABarIsDrawnOverItselfATenthOfASecondLater) {
  ProgressDisplay display(ProgressDisplay::Mode::Bar, screen_.get());
  display.show({1, 9}, start_);
  display.show({2, 8}, start_ + milliseconds(50));
  display.show({5, 5}, start_ + milliseconds(100));
  EXPECT_EQ(shown(),
            "\r[###...........................] 1 of 10  10 %  0.0/s  waiting\033[K"
            "\r[###############...............] 5 of 10  50 %  40.0/s  0 s left\033[K");
}

TEST_F(ProgressDisplayTest, ASentenceTakesTheBarAway) {
  ProgressDisplay display(ProgressDisplay::Mode::Bar, screen_.get());
  display.note("first");
  display.show({1, std::nullopt}, start_);
  display.note("second");
  display.clear();
  display.finish();
  EXPECT_EQ(shown(), "first\n\r1 done  0.0/s\033[K\r\033[Ksecond\n\r1 done  0.0/s\033[K\n");
}

TEST_F(ProgressDisplayTest, WhereThereIsNoTerminalALineComesEveryTenSeconds) {
  ProgressDisplay display(ProgressDisplay::Mode::Lines, screen_.get());
  for (int second = 0; second <= 20; ++second)
    display.show({static_cast<uint64_t>(second), std::nullopt}, start_ + seconds(second));
  EXPECT_EQ(shown(), "10 done  1.0/s\n20 done  1.0/s\n");
}

TEST_F(ProgressDisplayTest, WhatWasThereBeforeIsNoMeasureForTheRest) {
  ProgressDisplay display(ProgressDisplay::Mode::Bar, screen_.get());
  display.show({.done = 0, .left = 1000}, start_);
  display.show({.done = 910, .left = 90, .skipped = 900}, start_ + seconds(1));
  EXPECT_NE(shown().find("10.0/s  9 s left"), std::string::npos) << shown();
}

TEST_F(ProgressDisplayTest, WhoWantsQuietSeesNothing) {
  ProgressDisplay display(ProgressDisplay::Mode::Quiet, screen_.get());
  display.show({1, 9}, start_);
  display.note("sentence");
  display.finish();
  EXPECT_EQ(shown(), "");
}

}  // namespace
}  // namespace linesign
