// A clock that jumps back or ahead, and the end of the CA: nothing leaves.
#include "tests/unit/appliance/issuance/issuance_fixture.h"

namespace linesign {
namespace {

using std::chrono::milliseconds;
using test::Answer;
using test::IssuanceTest;
using test::kOrder;
using test::kSigner;

class IssuanceClock : public IssuanceTest {
 protected:
  // How many of so many devices get a certificate.
  int issued_of(int count) {
    int issued = 0;
    for (int i = 0; i < count; ++i) {
      const std::string device = "clocked-" + std::to_string(++number_);
      const EvpKey key = test::make_key(KeyType::EcP256);
      const Answer answer = answer_to(number_, device, test::make_csr(key.get(), device));
      if (!answer.error) {
        ++issued;
        continue;
      }
      EXPECT_EQ(answer.error, ErrorCode::Unavailable) << "they come again";
    }
    return issued;
  }

  void restart() {
    close();
    open();
  }

  // What `linesign clock confirm` does; the error or nothing.
  std::optional<ErrorCode> confirm(bool is_back) {
    std::optional<Result<ClockEvent>> result;
    guard_->confirm(is_back, [&](Result<ClockEvent> event) { result = std::move(event); });
    EXPECT_TRUE(run_until([&] { return result.has_value(); }));
    if (!result.has_value() || result->has_value()) return std::nullopt;
    return result->error().code();
  }

  ErrorCode reason() const {
    return health_->is_producing() ? ErrorCode::Internal : health_->reason().code();
  }

 private:
  int number_ = 0;
};

TEST_F(IssuanceClock, NothingLeavesAfterAJumpBackNorAfterARestart) {
  EXPECT_EQ(issued_of(2), 2);
  const UnixTime before = clock_.now();
  clock_.set(before - std::chrono::hours(1));
  EXPECT_EQ(issued_of(5), 0);
  EXPECT_EQ(reason(), ErrorCode::ClockInDoubt);
  restart();
  EXPECT_EQ(issued_of(5), 0);
  clock_.set(before);
  static_cast<void>(guard_->now());
  EXPECT_EQ(issued_of(2), 2);
}

TEST_F(IssuanceClock, NothingLeavesAfterAJumpBackOfAnIdleApplianceNorAfterARestart) {
  EXPECT_EQ(issued_of(1), 1);
  clock_.advance(std::chrono::days(3));
  static_cast<void>(guard_->now());
  clock_.set(clock_.now() - std::chrono::hours(1));
  EXPECT_EQ(issued_of(2), 0);
  restart();
  EXPECT_EQ(issued_of(2), 0) << "the newest row is three days old, but the doubt is kept";
}

class IssuanceClockAhead : public IssuanceClock,
                           public testing::WithParamInterface<std::chrono::hours> {};

TEST_P(IssuanceClockAhead, NothingLeavesUntilAnOperatorConfirms) {
  EXPECT_EQ(issued_of(2), 2);
  const UnixTime right = clock_.now();
  clock_.set(right + GetParam());
  EXPECT_EQ(issued_of(5), 0);
  EXPECT_EQ(reason(), ErrorCode::ClockUnconfirmed);
  restart();
  EXPECT_EQ(issued_of(5), 0);
  EXPECT_EQ(reason(), ErrorCode::ClockUnconfirmed);
  EXPECT_EQ(confirm(true), ErrorCode::InputInvalid) << "it is not behind";
  EXPECT_EQ(issued_of(1), 0);
  EXPECT_EQ(confirm(false), std::nullopt);
  EXPECT_EQ(issued_of(3), 3);
  restart();
  EXPECT_EQ(issued_of(3), 3) << "the confirmation is kept";
}

TEST_P(IssuanceClockAhead, ResumesAutomaticallyWhenTheClockIsRightAgain) {
  EXPECT_EQ(issued_of(1), 1);
  const UnixTime right = clock_.now();
  clock_.set(right + GetParam());
  EXPECT_EQ(issued_of(1), 0);
  clock_.set(right);
  static_cast<void>(guard_->now());
  EXPECT_EQ(issued_of(1), 1);
  clock_.set(right + GetParam());
  EXPECT_EQ(issued_of(1), 0);
  restart();
  clock_.set(right + std::chrono::seconds(1));
  static_cast<void>(guard_->now());
  EXPECT_EQ(issued_of(1), 1) << "also after a restart";
}

INSTANTIATE_TEST_SUITE_P(Jumps,
                         IssuanceClockAhead,
                         testing::Values(std::chrono::hours(1),
                                         std::chrono::days(29),
                                         std::chrono::days(3652),
                                         std::chrono::days(10920)));

TEST_F(IssuanceClock, AStartDoubtsAClockThatIsFarAheadOfTheNewestIntent) {
  EXPECT_EQ(issued_of(1), 1);
  close();
  clock_.set(clock_.now() + std::chrono::days(30));
  open();
  EXPECT_TRUE(guard_->now()) << "as far as it may be";
  close();
  clock_.set(clock_.now() + std::chrono::seconds(1));
  open();
  EXPECT_EQ(issued_of(1), 0);
  EXPECT_EQ(reason(), ErrorCode::ClockUnconfirmed);
}

TEST_F(IssuanceClock, RowsOfNextYearAreConfirmedToBeWrongOnce) {
  EXPECT_EQ(issued_of(1), 1);
  const UnixTime right = clock_.now();
  clock_.set(right + std::chrono::days(365));
  EXPECT_EQ(issued_of(1), 0);
  EXPECT_EQ(confirm(false), std::nullopt) << "by mistake";
  EXPECT_EQ(issued_of(2), 2);
  restart();
  clock_.set(right);
  EXPECT_EQ(issued_of(1), 0);
  EXPECT_EQ(reason(), ErrorCode::ClockInDoubt);
  EXPECT_EQ(confirm(false), ErrorCode::InputInvalid) << "only with --back";
  EXPECT_EQ(confirm(true), std::nullopt);
  restart();
  EXPECT_EQ(issued_of(2), 2);
  restart();
  EXPECT_EQ(issued_of(1), 1);
}

TEST_F(IssuanceClock, NothingLeavesAfterTheEndOfTheCa) {
  EXPECT_EQ(issued_of(1), 1);
  clock_.advance(ca_.certificate().not_after() - clock_.now());
  EXPECT_EQ(issued_of(2), 0);
  EXPECT_EQ(reason(), ErrorCode::ClockUnconfirmed) << "40 years without a look";
  EXPECT_EQ(confirm(false), std::nullopt);
  EXPECT_EQ(issued_of(2), 0);
  EXPECT_EQ(reason(), ErrorCode::CaExpired);
}

}  // namespace
}  // namespace linesign
