// The check by a signer before the intent, and what fails there.
#include "tests/unit/appliance/issuance/issuance_fixture.h"

namespace linesign {
namespace {

using std::chrono::milliseconds;
using test::Answer;
using test::IssuanceTest;
using test::kOrder;
using test::kSigner;

TEST_F(IssuanceTest, RecordsAnIntentOnlyForWhatIsChecked) {
  check_at_once_ = false;
  const auto answer = ask(1, "device-1", csr_);
  expect_nothing_written();
  EXPECT_EQ(issuance_->in_flight(), 1U);
  ASSERT_EQ(checks_.size(), 1U);
  check(*checks_.front());
  ASSERT_TRUE(run_until([&] { return answer->has_value(); }));
  EXPECT_FALSE((*answer)->error);
  ASSERT_EQ(checked_by_.size(), 1U);
  EXPECT_EQ(checked_by_.front().check_id, checks_.front()->id);
  EXPECT_EQ(checked_by_.front().signer, kSigner) << "who checked it signs it";
}

TEST_F(IssuanceTest, WritesNothingForARequestThatFailsItsCheck) {
  check_at_once_ = false;
  const auto answer = ask(1, "device-1", csr_);
  const uint64_t writes = commit_->counters().writes;
  fail_check(*checks_.front(), ErrorCode::CsrProofWrong);
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error, ErrorCode::CsrProofWrong);
  EXPECT_TRUE(issuance_->is_idle());
  EXPECT_EQ(issuance_->counters().refused, 1U);
  EXPECT_EQ(issuance_->conduct().refused_of(station_.id), 1U);
  EXPECT_EQ(commit_->counters().writes, writes);
  expect_nothing_written();
}

TEST_F(IssuanceTest, SaysUnavailableWhenACheckFailsForAnotherReason) {
  check_at_once_ = false;
  const auto answer = ask(1, "device-1", csr_);
  fail_check(*checks_.front(), ErrorCode::HsmUnavailable);
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error, ErrorCode::Unavailable);
  EXPECT_EQ(issuance_->counters().refused, 0U);
}

TEST_F(IssuanceTest, RefusesAKeyThatNoDeviceMayHaveAndKeepsWhatWasPromised) {
  const Answer before = answer_to(1, "device-1", csr_);
  close();
  limits_.check_key = [](const Sha256&) -> Result<void> { return fail(ErrorCode::CsrKeyReserved); };
  open();
  EXPECT_EQ(answer_to(1, "device-1", csr_).certificate, before.certificate);
  EXPECT_FALSE(before.error);
  const Bytes other = test::make_csr(other_key_.get(), "device-2");
  EXPECT_EQ(answer_to(2, "device-2", other).error, ErrorCode::CsrKeyReserved);
  EXPECT_TRUE(checks_.empty()) << "it costs the signers nothing";
  EXPECT_EQ(ledger().certificates, 1U);
}

TEST_F(IssuanceTest, KeepsWhatWasPromisedForAKeyThatIsWeakNow) {
  const Answer before = answer_to(1, "device-1", csr_);
  check_at_once_ = false;
  const auto again = ask(1, "device-1", csr_);
  fail_check(*checks_.back(), ErrorCode::CsrKeyWeak);
  ASSERT_TRUE(run_until([&] { return again->has_value(); }));
  EXPECT_EQ((*again)->certificate, before.certificate);
  const auto other = ask(2, "device-2", test::make_csr(other_key_.get(), "device-2"));
  fail_check(*checks_.back(), ErrorCode::CsrKeyWeak);
  ASSERT_TRUE(run_until([&] { return other->has_value(); }));
  EXPECT_EQ((*other)->error, ErrorCode::CsrKeyWeak);
  EXPECT_EQ(issuance_->conduct().refused_of(station_.id), 1U);
  EXPECT_EQ(ledger().certificates, 1U);
}

TEST_F(IssuanceTest, SaysNothingForEverAboutAnIdentityWhoseIntentIsOpen) {
  sign_at_once_ = false;
  const auto first = ask(1, "device-1", csr_);
  ASSERT_TRUE(run_until([&] { return waiting_.size() == 1; }));
  const Bytes same_device = test::make_csr(other_key_.get(), "device-1");
  const Bytes same_key = test::make_csr(key_.get(), "device-2");
  for (const Answer& answer :
       {answer_to(2, "device-1", same_device), answer_to(3, "device-2", same_key)}) {
    EXPECT_EQ(answer.error, ErrorCode::DeviceInProgress);
    EXPECT_GT(answer.retry_after.count(), 0);
  }
  sign(*waiting_.front());
  ASSERT_TRUE(run_until([&] { return first->has_value(); }));
  EXPECT_EQ(answer_to(2, "device-1", same_device).error, ErrorCode::DeviceExists);
  EXPECT_EQ(answer_to(3, "device-2", same_key).error, ErrorCode::KeyExists);
}

TEST_F(IssuanceTest, GivesTheIdentityOfAVoidIntentToTheNextOne) {
  sign_at_once_ = false;
  const auto first = ask(1, "device-1", csr_);
  ASSERT_TRUE(run_until([&] { return waiting_.size() == 1; }));
  const Bytes other = test::make_csr(other_key_.get(), "device-1");
  EXPECT_EQ(answer_to(2, "device-1", other).error, ErrorCode::DeviceInProgress);
  issuance_->on_signed(*waiting_.front(), fail(ErrorCode::CsrProofWrong));
  ASSERT_TRUE(run_until([&] { return first->has_value(); }));
  sign_at_once_ = true;
  EXPECT_FALSE(answer_to(2, "device-1", other).error);
}

TEST_F(IssuanceTest, RecordsNothingWhenProductionStopsBetweenCheckAndIntent) {
  check_at_once_ = false;
  const auto answer = ask(1, "device-1", csr_);
  health_->set(Cause::Clock, Error(ErrorCode::ClockInDoubt));
  check(*checks_.front());
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error, ErrorCode::Unavailable);
  EXPECT_TRUE(issuance_->is_idle());
  expect_nothing_written();
}

TEST_F(IssuanceTest, RecordsNoTimeThatWasDrawnBeforeTheClockWasSetBack) {
  check_at_once_ = false;
  const auto answer = ask(1, "device-1", csr_);
  clock_.set(clock_.now() - std::chrono::seconds(30));
  check(*checks_.front());
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error, ErrorCode::Unavailable);
  EXPECT_TRUE(issuance_->is_idle());
  expect_nothing_written();
}

TEST_F(IssuanceTest, DoesNotCallAKeyWeakForEverWithoutAskingTheLedger) {
  check_at_once_ = false;
  const auto answer = ask(1, "device-1", csr_);
  health_->set(Cause::Disk, Error(ErrorCode::LedgerDiskFull));
  fail_check(*checks_.front(), ErrorCode::CsrKeyWeak);
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error, ErrorCode::Unavailable);
}

TEST_F(IssuanceTest, FinishesWhatIsBeingCheckedWhenItShutsDown) {
  check_at_once_ = false;
  const auto answer = ask(1, "device-1", csr_);
  health_->set(Cause::Draining, Error(ErrorCode::Draining));
  EXPECT_FALSE(issuance_->is_idle()) << "the shutdown waits for it";
  check(*checks_.front());
  ASSERT_TRUE(run_until([&] { return answer->has_value(); }));
  EXPECT_FALSE((*answer)->error);
}

TEST_F(IssuanceTest, AnswersACheckInTimeAndRecordsNothingForItLater) {
  check_at_once_ = false;
  const auto late = ask(1, "device-1", csr_);
  const auto request = checks_.front();
  clock_.advance(std::chrono::seconds(11));
  ASSERT_TRUE(run_until([&] { return late->has_value(); }));
  EXPECT_EQ((*late)->error, ErrorCode::Unavailable);
  EXPECT_TRUE(issuance_->is_idle()) << "its place is free";
  check(*request);
  EXPECT_TRUE(issuance_->is_idle());
  expect_nothing_written();
}

TEST_F(IssuanceTest, TakesAChecksTurnFromItWhenNobodyWaitsForItAnyMore) {
  close();
  limits_.max_in_flight = 1;
  open();
  check_at_once_ = false;
  const auto late = ask(1, "device-1", csr_);
  const auto request = checks_.front();
  clock_.advance(std::chrono::seconds(11));
  ASSERT_TRUE(run_until([&] { return late->has_value(); }));
  EXPECT_TRUE(request->is_unwanted);
  EXPECT_TRUE(checks_.empty()) << "the signers were told";
  const auto next = ask(2, "device-2", test::make_csr(other_key_.get(), "device-2"));
  ASSERT_EQ(checks_.size(), 1U) << "the only place was given back";
  EXPECT_FALSE(checks_.front()->is_unwanted);
  check(*checks_.front());
  ASSERT_TRUE(run_until([&] { return next->has_value(); }));
  EXPECT_FALSE((*next)->error);
}

TEST_F(IssuanceTest, JoinsARetryToItsOpenIntentWithoutACheck) {
  sign_at_once_ = false;
  const auto first = ask(1, "device-1", csr_);
  ASSERT_TRUE(run_until([&] { return waiting_.size() == 1; }));
  const auto again = ask(1, "device-1", csr_);
  EXPECT_EQ(checks_.size(), 1U);
  EXPECT_EQ(issuance_->in_flight(), 1U);
  EXPECT_EQ(answer_to(2, "device-1", csr_).error, ErrorCode::DeviceInProgress)
      << "another request id is another request";
  EXPECT_EQ(checks_.size(), 2U);
  sign(*waiting_.front());
  ASSERT_TRUE(run_until([&] { return first->has_value() && again->has_value(); }));
  EXPECT_FALSE((*first)->error);
  EXPECT_EQ((*again)->certificate, (*first)->certificate);
  EXPECT_TRUE(issuance_->is_idle());
}

TEST_F(IssuanceTest, GivesARetryItsOwnTimeToWait) {
  sign_at_once_ = false;
  const auto first = ask(1, "device-1", csr_);
  ASSERT_TRUE(run_until([&] { return waiting_.size() == 1; }));
  check_at_once_ = false;
  clock_.advance(std::chrono::seconds(6));
  const auto other = ask(2, "device-2", test::make_csr(other_key_.get(), "device-2"));
  clock_.advance(std::chrono::seconds(5));
  ASSERT_TRUE(run_until([&] { return first->has_value(); }));
  const auto again = ask(1, "device-1", csr_);
  clock_.advance(std::chrono::seconds(6));
  ASSERT_TRUE(run_until([&] { return other->has_value(); }));
  EXPECT_FALSE(again->has_value()) << "it has waited for 6 s only";
  sign(*waiting_.front());
  ASSERT_TRUE(run_until([&] { return again->has_value(); }));
  EXPECT_FALSE((*again)->error);
}

TEST_F(IssuanceTest, AnswersARetryFromTheLedgerWhenItsCheckTakesLong) {
  const Answer before = answer_to(1, "device-1", csr_);
  check_at_once_ = false;
  const auto again = ask(1, "device-1", csr_);
  const auto other = ask(2, "device-2", test::make_csr(other_key_.get(), "device-2"));
  const auto conflict = ask(1, "device-3", test::make_csr(key_.get(), "device-3"));
  ASSERT_EQ(checks_.size(), 4U) << "a fast signer is asked first";
  const auto request = checks_[1];
  clock_.advance(std::chrono::seconds(3));
  ASSERT_TRUE(run_until([&] { return again->has_value(); }));
  EXPECT_EQ((*again)->certificate, before.certificate);
  EXPECT_TRUE(request->is_unwanted);
  EXPECT_EQ(issuance_->in_flight(), 2U) << "what is new waits for its check";
  EXPECT_EQ(ledger().intents, 0U) << "the look writes nothing";
  EXPECT_FALSE(conflict->has_value());
  sign_at_once_ = true;
  for (size_t i : {2U, 3U}) check(*checks_.at(i));
  ASSERT_TRUE(run_until([&] { return other->has_value() && conflict->has_value(); }));
  EXPECT_FALSE((*other)->error);
  EXPECT_EQ((*conflict)->error, ErrorCode::RequestConflict);
}

TEST_F(IssuanceTest, AnswersInTimeWhileTheLedgersDiskHangs) {
  const Answer before = answer_to(1, "device-1", csr_);
  auto held = hold_ledger();
  const auto late = ask(2, "device-2", test::make_csr(other_key_.get(), "device-2"));
  const auto fetched = fetch("device-1");
  std::vector<ErrorCode> unconfirmed;
  issuance_->confirm(
      {.order_id = kOrder, .device_id = "device-1", .certificate_hash = sha256(before.certificate)},
      [&](const tl::expected<void, Refusal>& result) {
        if (!result) unconfirmed.push_back(result.error().error.code());
      });
  clock_.advance(std::chrono::seconds(11));
  ASSERT_TRUE(run_until([&] { return late->has_value() && fetched->has_value(); }));
  EXPECT_EQ((*late)->error, ErrorCode::Unavailable);
  EXPECT_EQ((*fetched)->error, ErrorCode::Unavailable);
  EXPECT_EQ(unconfirmed, std::vector<ErrorCode>{ErrorCode::Unavailable});
  clock_.advance(std::chrono::seconds(6));  // since a look that found it moving
  ASSERT_TRUE(run_until([&] { return !health_->is_producing(); }));
  EXPECT_EQ(health_->reason().code(), ErrorCode::LedgerUnavailable);
  EXPECT_EQ(issuance_->in_flight(), 1U) << "its place is not free: the ledger still has it";
  EXPECT_TRUE(fetch("device-1")->has_value()) << "told at once now";
  held.set_value();
  ASSERT_TRUE(run_until([&] { return health_->is_producing() && issuance_->is_idle(); }));
  EXPECT_EQ(ledger().certificates, 2U) << "what was recorded is finished";
  EXPECT_EQ(sign_orders_, 2);
}

TEST_F(IssuanceTest, LeavesALostLedgerToWhoTellsOfIt) {
  const auto held = hold_ledger();
  ask(1, "device-1", csr_);
  clock_.advance(std::chrono::seconds(11));
  ASSERT_TRUE(run_until([&] { return !health_->is_producing(); }));
  health_->set(Cause::Ledger, Error(ErrorCode::LedgerCommitUnknown));
  issuance_->abandon(Error(ErrorCode::LedgerCommitUnknown));
  for (int looks = 0; looks < 3; ++looks) {
    const auto fetched = fetch("device-1");
    clock_.advance(std::chrono::seconds(11));
    ASSERT_TRUE(run_until([&] { return fetched->has_value(); }));
  }
  ASSERT_FALSE(health_->is_producing());
  EXPECT_EQ(health_->reason().code(), ErrorCode::LedgerCommitUnknown);
}

TEST_F(IssuanceTest, AnswersWhatIsBeingCheckedWhenTheLedgerIsLost) {
  check_at_once_ = false;
  const auto answer = ask(1, "device-1", csr_);
  issuance_->abandon(Error(ErrorCode::LedgerCommitUnknown));
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error, ErrorCode::Unavailable);
  check(*checks_.front());
  EXPECT_TRUE(issuance_->is_idle());
  expect_nothing_written();
}

TEST_F(IssuanceTest, SignsNothingThatWasOnItsWayIntoALostLedger) {
  const auto answer = ask(1, "device-1", csr_);
  // The transaction runs; what comes of it is told after this.
  issuance_->abandon(Error(ErrorCode::LedgerCommitUnknown));
  EXPECT_TRUE(issuance_->is_idle());
  ASSERT_TRUE(run_until([&] { return answer->has_value(); }));
  EXPECT_EQ((*answer)->error, ErrorCode::Unavailable);
  EXPECT_EQ(sign_orders_, 0) << "recover() brings the intent back";
  EXPECT_TRUE(issuance_->is_idle());
  EXPECT_EQ(ledger().intents, 1U);
}

TEST_F(IssuanceTest, IsNotAppeasedByOneGoodCsrThatComesAgainAndAgain) {
  bool is_throttled = false;
  close();
  limits_.on_throttled = [&](const StationIdentity&, const Error&, milliseconds) {
    is_throttled = true;
  };
  open();
  EXPECT_FALSE(answer_to(1, "device-1", csr_).error);
  for (int i = 0; !is_throttled && i < 200; ++i) {
    EXPECT_FALSE(answer_to(1, "device-1", csr_).error);
    check_at_once_ = false;
    ask(2, "device-1", csr_);
    fail_check(*checks_.back(), ErrorCode::CsrProofWrong);
    check_at_once_ = true;
  }
  EXPECT_TRUE(is_throttled);
}

TEST_F(IssuanceTest, DoesNotHearAStationForAWhileThatSendsManyBadCsrs) {
  std::vector<milliseconds> waits;
  close();
  limits_.on_throttled =
      [&](const StationIdentity& station, const Error& error, milliseconds wait) {
        EXPECT_EQ(station.id, station_.id);
        EXPECT_EQ(error.code(), ErrorCode::CsrProofWrong);
        waits.push_back(wait);
      };
  open();
  check_at_once_ = false;
  for (int i = 0; waits.empty() && i < 1000; ++i) {
    ask(i, "device-1", csr_);
    fail_check(*checks_.back(), ErrorCode::CsrProofWrong);
  }
  ASSERT_EQ(waits.size(), 1U);
  const size_t checks = checks_.size();
  check_at_once_ = true;
  const Answer throttled = answer_to(1, "device-1", csr_);
  EXPECT_EQ(throttled.error, ErrorCode::StationThrottled);
  EXPECT_EQ(throttled.retry_after, waits.front());
  EXPECT_EQ(checks_.size(), checks) << "it costs the signers nothing";
  std::swap(station_, other_station_);
  EXPECT_FALSE(answer_to(2, "device-2", test::make_csr(other_key_.get(), "device-2")).error)
      << "others do not wait";
  std::swap(station_, other_station_);
  clock_.advance(std::chrono::ceil<std::chrono::seconds>(waits.front()));
  EXPECT_FALSE(answer_to(1, "device-1", csr_).error);
}

}  // namespace
}  // namespace linesign
