#include "appliance/issuance/health.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace linesign {
namespace {

class HealthTest : public testing::Test {
 protected:
  FakeClock clock_;
  std::vector<std::string> changes_;
  Health health_{clock_, [this](Cause cause, const std::optional<Error>& error) {
                   changes_.push_back(std::string(to_string(cause)) + (error ? "+" : "-"));
                 }};
};

TEST_F(HealthTest, ProducesUntilSomethingStandsInTheWay) {
  EXPECT_TRUE(health_.is_producing());
  EXPECT_TRUE(health_.obstacles().empty());
  health_.set(Cause::Disk, Error(ErrorCode::LedgerDiskFull));
  EXPECT_FALSE(health_.is_producing());
  health_.clear(Cause::Disk);
  EXPECT_TRUE(health_.is_producing());
}

TEST_F(HealthTest, ProducesAgainOnlyWhenTheLastObstacleIsGone) {
  health_.set(Cause::Signers, Error(ErrorCode::HsmUnavailable));
  health_.set(Cause::Ledger, Error(ErrorCode::LedgerUnavailable));
  health_.clear(Cause::Signers);
  EXPECT_FALSE(health_.is_producing());
  EXPECT_EQ(health_.reason().code(), ErrorCode::LedgerUnavailable);
  health_.clear(Cause::Ledger);
  EXPECT_TRUE(health_.is_producing());
}

TEST_F(HealthTest, SaysSinceWhen) {
  const UnixTime start = clock_.now();
  EXPECT_EQ(health_.since(), start);
  clock_.advance(std::chrono::seconds(60));
  health_.set(Cause::Ledger, Error(ErrorCode::LedgerUnavailable));
  EXPECT_EQ(health_.since(), start + std::chrono::seconds(60));
  clock_.advance(std::chrono::seconds(5));
  health_.set(Cause::Signers, Error(ErrorCode::HsmUnavailable));
  EXPECT_EQ(health_.since(), start + std::chrono::seconds(60)) << "it has not produced since then";
  health_.clear(Cause::Ledger);
  health_.clear(Cause::Signers);
  EXPECT_EQ(health_.since(), start + std::chrono::seconds(65));
}

TEST_F(HealthTest, KeepsTheTimeOfAnObstacleWhoseReasonBecomesClearer) {
  health_.set(Cause::Signers, Error(ErrorCode::HsmUnavailable));
  const UnixTime since = clock_.now();
  clock_.advance(std::chrono::seconds(3));
  health_.set(Cause::Signers, Error(ErrorCode::HsmPinRefused));
  ASSERT_EQ(health_.obstacles().size(), 1U);
  EXPECT_EQ(health_.obstacles().front().since, since);
  EXPECT_EQ(health_.obstacles().front().error.code(), ErrorCode::HsmPinRefused);
}

TEST_F(HealthTest, TellsEachChangeOnce) {
  health_.set(Cause::Disk, Error(ErrorCode::LedgerDiskFull));
  health_.set(Cause::Disk, Error(ErrorCode::LedgerDiskFull, "a little less free"));
  EXPECT_EQ(health_.reason().detail(), "a little less free");
  health_.clear(Cause::Disk);
  health_.clear(Cause::Disk);
  EXPECT_EQ(changes_, (std::vector<std::string>{"disk+", "disk-"}));
}

TEST_F(HealthTest, NamesTheLedgerBeforeTheSigners) {
  health_.set(Cause::Signers, Error(ErrorCode::HsmUnavailable));
  health_.set(Cause::Ledger, Error(ErrorCode::LedgerCommitUnknown));
  EXPECT_EQ(health_.reason().code(), ErrorCode::LedgerCommitUnknown);
}

}  // namespace
}  // namespace linesign
