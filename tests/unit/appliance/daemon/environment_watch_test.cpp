#include "appliance/daemon/environment_watch.h"

#include <limits>

#include <gmock/gmock.h>

#include "tests/support/fake_clock.h"
#include "tests/support/run_loop.h"
#include "tests/support/software_ca.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

using ::testing::HasSubstr;

constexpr auto kDay = std::chrono::hours(24);

class EnvironmentWatchTest : public ::testing::Test {
 protected:
  // The error of the one cause that stands, or nothing.
  std::optional<Error> look(std::optional<UnixTime> newest_at = test::kTestTime) {
    guard_ = std::make_unique<ClockGuard>(
        clock_,
        health_,
        test::SoftwareCa().certificate(),
        ClockLimits{},
        ClockGuard::Known{.built_on = {}, .ledger = {.newest_at = newest_at, .last_event = {}}},
        [](const ClockEvent&, const auto&) {});
    watch_ = std::make_unique<EnvironmentWatch>(*loop_, *guard_, health_, settings_, folder_);
    watch_->start();
    const auto obstacles = health_.obstacles();
    EXPECT_LE(obstacles.size(), 1U);
    return obstacles.empty() ? std::nullopt : std::optional(obstacles.front().error);
  }

  TempDir dir_;
  std::filesystem::path folder_ = dir_.path();
  FakeClock clock_{test::kTestTime};
  std::unique_ptr<EventLoop> loop_ = std::move(*EventLoop::create());
  IssuanceSettings settings_;
  Health health_{clock_, [](Cause, const std::optional<Error>&) {}};
  std::unique_ptr<ClockGuard> guard_;
  std::unique_ptr<EnvironmentWatch> watch_;
};

TEST_F(EnvironmentWatchTest, IsContentWithRoomAndAClockThatGoesOn) {
  settings_.min_free_bytes = 0;
  EXPECT_FALSE(look(clock_.now() - kDay));
  EXPECT_TRUE(health_.is_producing());
}

TEST_F(EnvironmentWatchTest, StopsProductionWithoutTheRoomThatIsAskedFor) {
  settings_.min_free_bytes = std::numeric_limits<uint64_t>::max();
  const auto error = look();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::LedgerDiskFull);
  EXPECT_THAT(error->detail(), HasSubstr("issuance.min_free"));
}

TEST_F(EnvironmentWatchTest, StopsProductionWhenTheLedgersFolderIsGone) {
  folder_ /= "gone";
  const auto error = look();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::LedgerUnavailable);
}

TEST_F(EnvironmentWatchTest, GoesOnByItselfWhenTheCauseIsGone) {
  settings_.min_free_bytes = 0;
  folder_ /= "later";
  ASSERT_TRUE(look());
  std::filesystem::create_directory(folder_);
  EXPECT_TRUE(test::run_loop_until(*loop_, [this] { return health_.is_producing(); }));
}

TEST_F(EnvironmentWatchTest, StopsProductionWhenTheClockIsInDoubt) {
  settings_.min_free_bytes = 0;
  const auto newest = clock_.now();
  clock_.set(newest - kDay);
  const auto error = look(newest);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::ClockInDoubt);
  clock_.set(newest);
  EXPECT_FALSE(look(newest));
  EXPECT_TRUE(health_.is_producing());
}

}  // namespace
}  // namespace linesign
