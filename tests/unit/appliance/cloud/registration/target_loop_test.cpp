#include "appliance/cloud/registration/target_loop.h"

#include <algorithm>
#include <deque>

#include <gtest/gtest.h>

#include "tests/unit/appliance/cloud/aws/fakes.h"

namespace linesign {
namespace {

using aws::test::FakeTime;

WayStep done(uint64_t registered) {
  WayStep step;
  step.registered = registered;
  return step;
}

WayStep held(ErrorCode code) {
  WayStep step;
  step.hold = Error(code);
  return step;
}

WayStep idle() {
  WayStep step;
  step.is_idle = true;
  return step;
}

class ScriptedWay final : public Way {
 public:
  WayStep step() override {
    if (steps.empty()) return idle();
    WayStep next = std::move(steps.front());
    steps.pop_front();
    return next;
  }
  std::deque<WayStep> steps;
};

class TargetLoopTest : public testing::Test {
 protected:
  std::optional<Error> run(RunMode mode) { return loop_.run(mode); }

  FakeTime time_;
  ScriptedWay way_;
  int preparations_ = 0;
  int news_ = 0;
  TargetLoop loop_{LoopParts{&way_,
                             [this]() -> Result<void> {
                               ++preparations_;
                               return {};
                             },
                             &time_,
                             &time_,
                             [this](const std::optional<Error>&) { ++news_; }}};
};

TEST_F(TargetLoopTest, WorksUntilNothingWaits) {
  way_.steps = {done(500), done(500), done(3)};
  EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  EXPECT_EQ(loop_.progress().registered, 1003U);
  EXPECT_EQ(preparations_, 1);
}

TEST_F(TargetLoopTest, AnOutageIsWaitedForLongerAndLonger) {
  for (int i = 0; i < 12; ++i) way_.steps.push_back(held(ErrorCode::AwsUnreachable));
  way_.steps.push_back(done(1));
  EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  ASSERT_GE(time_.waits.size(), 12U);
  EXPECT_LE(time_.waits.front(), std::chrono::seconds(1));
  EXPECT_GE(time_.waits.at(11), std::chrono::seconds(30));
  EXPECT_LE(time_.waits.at(11), std::chrono::seconds(60));
  EXPECT_EQ(news_, 2) << "the outage is told once, and its end";
}

TEST_F(TargetLoopTest, WhatFailsAgainAfterEachBeginningIsBegunLaterAndLater) {
  for (int i = 0; i < 12; ++i) {
    way_.steps.push_back(held(ErrorCode::AwsUnavailable));
    way_.steps.push_back(done(0));  // the next task is begun: no proof of anything
  }
  way_.steps.push_back(done(1));
  EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  EXPECT_GE(*std::max_element(time_.waits.begin(), time_.waits.end()), std::chrono::seconds(30));
}

TEST_F(TargetLoopTest, ItWorksSinceItWasMadeAlsoBeforeTheFirstStepIsDone) {
  EXPECT_EQ(loop_.progress().since, time_.now());
}

TEST_F(TargetLoopTest, WhatWasDoneBeforeAStopCounts) {
  WayStep cut = held(ErrorCode::Interrupted);
  cut.registered = 3;
  cut.parked = 1;
  way_.steps = {done(500), cut};
  EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  EXPECT_EQ(loop_.progress().registered, 503U);
  EXPECT_EQ(loop_.progress().parked, 1U);
}

TEST_F(TargetLoopTest, OnceEndsWithWhatHolds) {
  way_.steps = {done(1), held(ErrorCode::AwsThrottled)};
  const auto error = run(RunMode::Once);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code(), ErrorCode::AwsThrottled);
  EXPECT_EQ(loop_.progress().registered, 1U);
}

TEST_F(TargetLoopTest, AStopEndsIt) {
  time_.is_stopped = true;
  way_.steps = {held(ErrorCode::AwsUnreachable), done(1)};
  EXPECT_FALSE(run(RunMode::Serve).has_value());
  EXPECT_EQ(loop_.progress().registered, 0U);
}

TEST_F(TargetLoopTest, AfterATroubleWithCredentialsItAsksAgainWhoseTheyAre) {
  way_.steps = {held(ErrorCode::AwsCredentialsRefused), done(1)};
  EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  EXPECT_EQ(preparations_, 2);
}

}  // namespace
}  // namespace linesign
