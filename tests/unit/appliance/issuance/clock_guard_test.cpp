#include "appliance/issuance/clock_guard.h"

#include <memory>
#include <vector>

#include <gmock/gmock.h>

#include "tests/support/fake_clock.h"
#include "tests/support/software_ca.h"

namespace linesign {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;

class ClockGuardTest : public ::testing::Test {
 protected:
  void start() {
    guard_ = std::make_unique<ClockGuard>(
        clock_, health_, ca_, limits_, known_, [this](const ClockEvent& event, auto done) {
          if (!is_ledger_there_) return done(fail(ErrorCode::LedgerUnavailable));
          events_.push_back(event);
          known_.ledger = {.newest_at = event.trusted_at, .last_event = event};
          done({});
        });
  }

  // What a certificate of this moment is told, or nothing: it gets its time.
  std::optional<Error> doubt() {
    const auto time = guard_->now();
    EXPECT_EQ(time.has_value(), health_.is_producing());
    if (!time.has_value()) return time.error();
    EXPECT_EQ(*time, clock_.now());
    return std::nullopt;
  }

  std::optional<ErrorCode> code() {
    const auto error = doubt();
    return error.has_value() ? std::optional(error->code()) : std::nullopt;
  }

  FakeClock clock_{test::kTestTime};
  Health health_{clock_, [](Cause, const std::optional<Error>&) {}};
  const CaCertificate ca_ = test::SoftwareCa().certificate();
  ClockLimits limits_;
  ClockGuard::Known known_{.built_on = test::kTestTime - days(1), .ledger = {}};
  bool is_ledger_there_ = true;
  std::vector<ClockEvent> events_;
  std::unique_ptr<ClockGuard> guard_;
};

TEST_F(ClockGuardTest, TrustsAClockThatGoesOn) {
  known_.ledger.newest_at = clock_.now() - days(29);
  start();
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(doubt());
    clock_.advance(days(29));
  }
  EXPECT_TRUE(events_.empty());
}

TEST_F(ClockGuardTest, DoubtsATimeBeforeTheBuildAndBeforeTheCa) {
  start();
  clock_.set(known_.built_on - seconds(1));
  auto error = doubt();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::ClockInDoubt);
  EXPECT_THAT(error->detail(), HasSubstr("built"));
  known_.built_on = {};
  start();
  clock_.set(ca_.not_before() - seconds(1));
  error = doubt();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::ClockInDoubt);
  EXPECT_THAT(error->detail(), HasSubstr("CA certificate"));
}

TEST_F(ClockGuardTest, DoubtsATimeBeforeTheNewestOfTheLedgerAtAStart) {
  known_.ledger.newest_at = clock_.now() + limits_.max_step;
  start();
  EXPECT_FALSE(doubt());
  known_.ledger.newest_at = clock_.now() + limits_.max_step + seconds(1);
  start();
  const auto error = doubt();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::ClockInDoubt);
  EXPECT_THAT(error->detail(), HasSubstr("the newest time known here"));
}

TEST_F(ClockGuardTest, WithAnEmptyLedgerMeasuresFromTheBuildOrTheCa) {
  known_.built_on = clock_.now() - limits_.max_ahead;
  start();
  EXPECT_FALSE(doubt());
  known_.built_on -= seconds(1);
  start();
  EXPECT_EQ(code(), ErrorCode::ClockUnconfirmed);
}

TEST_F(ClockGuardTest, ADayOfBuildAfterTheNewestRowCountsToo) {
  known_.ledger.newest_at = clock_.now() - days(60);
  start();
  EXPECT_FALSE(doubt()) << "an update in a pause";
}

TEST_F(ClockGuardTest, AllowsSmallStepsAndNoMoreWithinAnHour) {
  start();
  EXPECT_FALSE(doubt());
  for (int i = 0; i < 2; ++i) {
    clock_.set(clock_.now() + minutes(1));
    EXPECT_FALSE(doubt());
  }
  clock_.set(clock_.now() + minutes(1));
  EXPECT_EQ(code(), ErrorCode::ClockUnconfirmed);
  clock_.set(clock_.now() - minutes(1));
  EXPECT_FALSE(doubt());
  clock_.advance(hours(2));
  EXPECT_FALSE(doubt());
  clock_.set(clock_.now() - minutes(2));
  EXPECT_FALSE(doubt()) << "a new hour";
  clock_.set(clock_.now() - minutes(1));
  EXPECT_EQ(code(), ErrorCode::ClockInDoubt);
}

TEST_F(ClockGuardTest, ManySmallStepsBackDoNotAddUp) {
  start();
  EXPECT_FALSE(doubt());
  int issued = 0;
  for (int i = 0; i < 60; ++i) {
    clock_.advance(seconds(30));
    clock_.set(clock_.now() - minutes(1));
    if (!doubt()) ++issued;
  }
  EXPECT_LE(issued, 2);
}

TEST_F(ClockGuardTest, ARestartDoubtsTheLeastOfWhatWasDoubted) {
  start();
  EXPECT_FALSE(doubt());
  const UnixTime right = clock_.now();
  clock_.set(right + days(3650));
  EXPECT_EQ(code(), ErrorCode::ClockUnconfirmed);
  clock_.set(right + hours(5));
  EXPECT_EQ(code(), ErrorCode::ClockUnconfirmed);
  start();
  EXPECT_EQ(code(), ErrorCode::ClockUnconfirmed);
  clock_.set(right + hours(6));
  EXPECT_EQ(code(), ErrorCode::ClockUnconfirmed);
  clock_.set(right + hours(4));
  EXPECT_FALSE(doubt()) << "before what was doubted: it was set back to what it may well be";
}

TEST_F(ClockGuardTest, KeepsTheDoubtAsSoonAsTheLedgerIsThere) {
  start();
  EXPECT_FALSE(doubt());
  is_ledger_there_ = false;
  clock_.set(clock_.now() + hours(1));
  EXPECT_TRUE(doubt());
  EXPECT_TRUE(events_.empty());
  is_ledger_there_ = true;
  EXPECT_TRUE(doubt());
  EXPECT_TRUE(doubt());
  ASSERT_EQ(events_.size(), 1U) << "once";
  EXPECT_EQ(events_[0].kind, ClockEventKind::Doubted);
  EXPECT_EQ(events_[0].trusted_at, test::kTestTime);
}

TEST_F(ClockGuardTest, IsNotConfirmedWithoutTheLedger) {
  start();
  EXPECT_FALSE(doubt());
  clock_.set(clock_.now() + days(1));
  EXPECT_TRUE(doubt());
  is_ledger_there_ = false;
  std::optional<ErrorCode> answer;
  guard_->confirm(false, [&](const Result<ClockEvent>& event) { answer = event.error().code(); });
  EXPECT_EQ(answer, ErrorCode::LedgerUnavailable);
  EXPECT_TRUE(doubt());
}

TEST_F(ClockGuardTest, DoesNotLetATimeBeforeTheBuildBeConfirmed) {
  start();
  clock_.set(known_.built_on - days(1));
  EXPECT_TRUE(doubt());
  for (const bool is_back : {false, true}) {
    std::optional<ErrorCode> answer;
    guard_->confirm(is_back,
                    [&](const Result<ClockEvent>& event) { answer = event.error().code(); });
    EXPECT_EQ(answer, ErrorCode::ClockInDoubt);
  }
}

TEST_F(ClockGuardTest, IsNotConfirmedWhileNobodyDoubtsIt) {
  start();
  const auto refusal_of = [this](bool is_back) {
    std::optional<Error> refusal;
    guard_->confirm(is_back, [&](const Result<ClockEvent>& event) {
      if (!event.has_value()) refusal = event.error();
    });
    return refusal;
  };
  EXPECT_FALSE(doubt());
  for (const bool is_back : {false, true}) {
    const auto refusal = refusal_of(is_back);
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->code(), ErrorCode::InputInvalid);
    EXPECT_THAT(refusal->detail(), HasSubstr("is not in doubt: there is nothing to confirm"));
  }
  EXPECT_TRUE(events_.empty()) << "the audit would compare less";
  clock_.set(clock_.now() + hours(1));
  EXPECT_FALSE(refusal_of(false)) << "also before anybody asked for the time";
  EXPECT_TRUE(refusal_of(false)) << "once";
  EXPECT_EQ(events_.size(), 1U);
}

TEST_F(ClockGuardTest, TellsTheHistoryInOrder) {
  start();
  EXPECT_FALSE(doubt());
  const UnixTime right = clock_.now();
  clock_.set(right + hours(1));
  EXPECT_TRUE(doubt());
  clock_.set(right);
  EXPECT_FALSE(doubt());
  clock_.set(right + hours(1));
  EXPECT_TRUE(doubt());
  guard_->confirm(false, [](const Result<ClockEvent>& event) { EXPECT_TRUE(event); });
  EXPECT_FALSE(doubt());
  std::vector<ClockEventKind> kinds;
  for (const ClockEvent& event : events_) kinds.push_back(event.kind);
  EXPECT_EQ(kinds,
            (std::vector{ClockEventKind::Doubted,
                         ClockEventKind::Resumed,
                         ClockEventKind::Doubted,
                         ClockEventKind::Confirmed}));
}

}  // namespace
}  // namespace linesign
