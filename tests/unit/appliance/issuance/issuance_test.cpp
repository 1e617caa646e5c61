// The life of a request: to its certificate, and to the same one again.
#include <set>

#include "tests/unit/appliance/issuance/issuance_fixture.h"

namespace linesign {
namespace {

using std::chrono::milliseconds;
using test::Answer;
using test::IssuanceTest;
using test::kOrder;
using test::kSigner;

TEST_F(IssuanceTest, AnswersWithACertificateThatTheCaSigned) {
  const Answer answer = answer_to(1, "device-1", csr_);
  ASSERT_FALSE(answer.error);
  const unsigned char* der = answer.certificate.data();
  const X509Certificate certificate(
      d2i_X509(nullptr, &der, static_cast<long>(answer.certificate.size())));
  ASSERT_NE(certificate, nullptr);
  EXPECT_EQ(X509_verify(certificate.get(), ca_.key()), 1);
  EXPECT_EQ(EVP_PKEY_eq(X509_get0_pubkey(certificate.get()), key_.get()), 1);
  EXPECT_EQ(issuance_->counters().issued, 1U);
  EXPECT_TRUE(issuance_->is_idle());
}

TEST_F(IssuanceTest, AnswersTheSameRequestWithTheSameBytes) {
  const Answer first = answer_to(1, "device-1", csr_);
  const Answer again = answer_to(1, "device-1", csr_);
  EXPECT_EQ(first.certificate, again.certificate);
  EXPECT_EQ(sign_orders_, 1);
}

TEST_F(IssuanceTest, AnswersTheSameRequestWithTheSameBytesAfterARestart) {
  const Answer first = answer_to(1, "device-1", csr_);
  close();
  open();
  const Answer again = answer_to(1, "device-1", csr_);
  EXPECT_EQ(first.certificate, again.certificate);
  EXPECT_EQ(sign_orders_, 0);
}

TEST_F(IssuanceTest, KeepsTheBytesWhenTheProfileChangesLater) {
  const Answer first = answer_to(1, "device-1", csr_);
  close();
  Profile shorter;
  shorter.validity = std::chrono::days(30);
  open(shorter);
  EXPECT_EQ(answer_to(1, "device-1", csr_).certificate, first.certificate);
}

TEST_F(IssuanceTest, RefusesADeviceIdThatATargetDoesNotTakeAndKeepsWhatWasPromised) {
  const Answer before = answer_to(1, "device-1", csr_);
  not_allowed_ = "device-1";
  EXPECT_EQ(answer_to(1, "device-1", csr_).certificate, before.certificate);
  EXPECT_FALSE(before.error.has_value());
  not_allowed_ = "device-2";
  const Bytes other = test::make_csr(other_key_.get(), "device-2");
  EXPECT_EQ(answer_to(2, "device-2", other).error, ErrorCode::DeviceIdNotAllowed);
  EXPECT_EQ(sign_orders_, 1);
  EXPECT_TRUE(issuance_->is_idle());
}

TEST_F(IssuanceTest, RefusesOtherBytesUnderTheSameRequestId) {
  answer_to(1, "device-1", csr_);
  const Bytes other = test::make_csr(other_key_.get(), "device-2");
  EXPECT_EQ(answer_to(1, "device-2", other).error, ErrorCode::RequestConflict);
}

TEST_F(IssuanceTest, RefusesAnotherKeyForADeviceThatHasACertificate) {
  answer_to(1, "device-1", csr_);
  const Bytes other = test::make_csr(other_key_.get(), "device-1");
  EXPECT_EQ(answer_to(2, "device-1", other).error, ErrorCode::DeviceExists);
}

TEST_F(IssuanceTest, RefusesAnotherDeviceForAKeyThatHasACertificate) {
  answer_to(1, "device-1", csr_);
  const Bytes other = test::make_csr(key_.get(), "device-2");
  EXPECT_EQ(answer_to(2, "device-2", other).error, ErrorCode::KeyExists);
}

TEST_F(IssuanceTest, SignsARequestThatComesTwiceAtOnceOnlyOnce) {
  sign_at_once_ = false;
  const auto first = ask(1, "device-1", csr_);
  const auto second = ask(1, "device-1", csr_);
  ASSERT_TRUE(run_until([&] { return waiting_.size() == 1; }));
  sign(*waiting_.front());
  ASSERT_TRUE(run_until([&] { return first->has_value() && second->has_value(); }));
  EXPECT_EQ((*first)->certificate, (*second)->certificate);
  EXPECT_EQ(sign_orders_, 1);
}

TEST_F(IssuanceTest, OrdersASignatureOnlyForADurableIntent) {
  sign_at_once_ = false;
  ask(1, "device-1", csr_);
  ASSERT_TRUE(run_until([&] { return waiting_.size() == 1; }));
  const uint64_t recorded = waiting_.front()->issuance_id();
  close();
  auto ledger = Ledger::open(ledger_settings());
  ASSERT_TRUE(ledger);
  auto intents = (*ledger)->open_intents();
  ASSERT_TRUE(intents);
  ASSERT_EQ(intents->size(), 1U);
  EXPECT_EQ(intents->front().issuance_id(), recorded);
}

TEST_F(IssuanceTest, FinishesAnOpenIntentWithTheSameBytesBeforeNewWork) {
  sign_at_once_ = false;
  ask(1, "device-1", csr_);
  ASSERT_TRUE(run_until([&] { return waiting_.size() == 1; }));
  const Bytes tbs = to_bytes(waiting_.front()->tbs());
  close();
  clock_.advance(std::chrono::hours(5));
  open();
  ASSERT_EQ(waiting_.size(), 1U);
  EXPECT_EQ(to_bytes(waiting_.front()->tbs()), tbs);
  const Bytes other = test::make_csr(other_key_.get(), "device-2");
  EXPECT_EQ(answer_to(2, "device-2", other).error, ErrorCode::Unavailable);
  sign(*waiting_.front());
  ASSERT_TRUE(run_until([&] { return health_->is_producing(); }));
  sign_at_once_ = true;
  EXPECT_FALSE(answer_to(2, "device-2", other).error);
  EXPECT_FALSE(answer_to(1, "device-1", csr_).error);
}

TEST_F(IssuanceTest, DoesNotProduceWhileAnIntentOfAnotherProfileIsOpen) {
  sign_at_once_ = false;
  ask(1, "device-1", csr_);
  ASSERT_TRUE(run_until([&] { return waiting_.size() == 1; }));
  close();
  Profile other;
  other.validity = std::chrono::days(30);
  open(other);
  ASSERT_FALSE(health_->is_producing());
  EXPECT_EQ(health_->reason().code(), ErrorCode::LedgerProfileChanged);
  EXPECT_EQ(sign_orders_, 0);
  close();
  open();
  EXPECT_EQ(waiting_.size(), 1U) << "the former profile finishes it";
}

TEST_F(IssuanceTest, VoidsAnIntentThatTheSignerRefusedAndFreesItsNames) {
  sign_at_once_ = false;
  const auto refused = ask(1, "device-1", csr_);
  ASSERT_TRUE(run_until([&] { return waiting_.size() == 1; }));
  issuance_->on_signed(*waiting_.front(), fail(ErrorCode::CsrProofWrong));
  ASSERT_TRUE(run_until([&] { return refused->has_value(); }));
  EXPECT_EQ((*refused)->error, ErrorCode::CsrProofWrong);
  sign_at_once_ = true;
  EXPECT_FALSE(answer_to(1, "device-1", csr_).error);
}

TEST_F(IssuanceTest, RefusesABadCsrWithoutAnIntent) {
  Bytes cut = csr_;
  cut.pop_back();
  EXPECT_EQ(answer_to(1, "device-1", cut).error, ErrorCode::CsrMalformed);
  EXPECT_EQ(answer_to(1, "device-9", csr_).error, ErrorCode::CsrSubjectMismatch);
  EXPECT_EQ(sign_orders_, 0);
  EXPECT_EQ(issuance_->counters().refused, 2U);
}

TEST_F(IssuanceTest, RefusesAnOrderThatIsNotThere) {
  const auto answer = std::make_shared<std::optional<ErrorCode>>();
  issuance_->issue(
      station_,
      {.request_id = request_id(1), .order_id = "other", .device_id = "device-1", .csr_der = csr_},
      [answer](const tl::expected<ByteView, Refusal>& result) {
        *answer = result.error().error.code();
        return true;
      });
  ASSERT_TRUE(run_until([&] { return answer->has_value(); }));
  EXPECT_EQ(**answer, ErrorCode::OrderUnknown);
}

TEST_F(IssuanceTest, SaysBusyAboveItsLimitAndWhenToComeAgain) {
  close();
  limits_.max_in_flight = 1;
  sign_at_once_ = false;
  open();
  ask(1, "device-1", csr_);
  const Answer busy = answer_to(2, "device-2", test::make_csr(other_key_.get(), "device-2"));
  EXPECT_EQ(busy.error, ErrorCode::Busy);
  EXPECT_GT(busy.retry_after.count(), 0);
}

TEST_F(IssuanceTest, LetsAStationBelowItsShareInWhileAnotherHoldsEverything) {
  close();
  limits_.max_in_flight = 2;
  sign_at_once_ = false;
  open();
  const auto csr = [](const std::string& device) {
    return test::make_csr(test::make_key(KeyType::EcP256).get(), device);
  };
  ask(1, "device-1", csr("device-1"));
  ask(2, "device-2", csr("device-2"));
  EXPECT_EQ(answer_to(3, "device-3", csr("device-3")).error, ErrorCode::Busy);
  std::swap(station_, other_station_);
  const auto single = ask(4, "device-4", csr("device-4"));
  ASSERT_TRUE(run_until([&] { return waiting_.size() == 3; }));
  EXPECT_EQ(answer_to(5, "device-5", csr("device-5")).error, ErrorCode::Busy)
      << "it has its share now";
  for (const auto& intent : waiting_) sign(*intent);
  ASSERT_TRUE(run_until([&] { return issuance_->is_idle(); }));
  EXPECT_FALSE((*single)->certificate.empty());
  sign_at_once_ = true;
  EXPECT_FALSE(answer_to(3, "device-3", csr("device-3")).error) << "shares are given back";
}

TEST_F(IssuanceTest, SaysUnavailableWithATimeWhileItDoesNotProduce) {
  health_->set(Cause::Signers, Error(ErrorCode::HsmUnavailable));
  const Answer answer = answer_to(1, "device-1", csr_);
  EXPECT_EQ(answer.error, ErrorCode::Unavailable);
  EXPECT_GT(answer.retry_after.count(), 0);
}

TEST_F(IssuanceTest, AnswersEverybodyWhenTheLedgerIsLost) {
  sign_at_once_ = false;
  const auto answer = ask(1, "device-1", csr_);
  ASSERT_TRUE(run_until([&] { return waiting_.size() == 1; }));
  issuance_->abandon(Error(ErrorCode::LedgerCommitUnknown));
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error, ErrorCode::Unavailable);
  EXPECT_TRUE(issuance_->is_idle());
  // A signature that comes too late is for nobody.
  sign(*waiting_.front());
  EXPECT_EQ(issuance_->counters().issued, 0U);
}

TEST_F(IssuanceTest, ASecondSignatureForAnIntentIsForNobody) {
  sign_at_once_ = false;
  const auto answer = ask(1, "device-1", csr_);
  ASSERT_TRUE(run_until([&] { return waiting_.size() == 1; }));
  sign(*waiting_.front());
  sign(*waiting_.front());  // from a batch that was at a signer when the ledger was lost
  ASSERT_TRUE(run_until([&] { return answer->has_value(); }));
  EXPECT_FALSE((*answer)->error);
  EXPECT_EQ(issuance_->counters().issued, 1U);
}

TEST_F(IssuanceTest, AnswersInTimeAndFinishesLater) {
  sign_at_once_ = false;
  const auto late = ask(1, "device-1", csr_);
  ASSERT_TRUE(run_until([&] { return waiting_.size() == 1; }));
  clock_.advance(std::chrono::seconds(11));
  ASSERT_TRUE(run_until([&] { return late->has_value(); }));
  EXPECT_EQ((*late)->error, ErrorCode::Unavailable);
  const auto retried = ask(1, "device-1", csr_);
  run_until([] { return true; });
  sign(*waiting_.front());
  ASSERT_TRUE(run_until([&] { return retried->has_value(); }));
  EXPECT_FALSE((*retried)->error);
  EXPECT_EQ(sign_orders_, 1);
}

TEST_F(IssuanceTest, FetchesACertificateAgain) {
  const Answer first = answer_to(1, "device-1", csr_);
  Bytes fetched;
  std::optional<ErrorCode> unknown;
  issuance_->fetch(station_,
                   {.order_id = kOrder, .device_id = "device-1"},
                   [&](tl::expected<ByteView, Refusal> result) {
                     if (result) fetched = to_bytes(*result);
                     return true;
                   });
  issuance_->fetch(station_,
                   {.order_id = kOrder, .device_id = "device-2"},
                   [&](const tl::expected<ByteView, Refusal>& result) {
                     if (!result) unknown = result.error().error.code();
                     return true;
                   });
  ASSERT_TRUE(run_until([&] { return unknown.has_value() && !fetched.empty(); }));
  EXPECT_EQ(fetched, first.certificate);
  EXPECT_EQ(unknown, ErrorCode::DeviceUnknown);
}

TEST_F(IssuanceTest, BooksAConfirmationOnlyForTheRightCertificate) {
  const Answer first = answer_to(1, "device-1", csr_);
  std::vector<bool> accepted;
  const auto book = [&](const Sha256& hash) {
    issuance_->confirm(
        {.order_id = kOrder, .device_id = "device-1", .certificate_hash = hash},
        [&](const tl::expected<void, Refusal>& result) { accepted.push_back(result.has_value()); });
  };
  book(Sha256{});
  book(sha256(first.certificate));
  ASSERT_TRUE(run_until([&] { return accepted.size() == 2; }));
  EXPECT_EQ(accepted, (std::vector<bool>{false, true}));
}

TEST_F(IssuanceTest, GivesEachOfManyRequestsItsOwnCertificate) {
  constexpr int kCount = 200;
  const auto device = [](int i) { return "device-" + std::to_string(i); };
  std::vector<Bytes> csrs;  // before the first is asked: keys take longer than a transaction
  for (int i = 0; i < kCount; ++i)
    csrs.push_back(test::make_csr(test::make_key(KeyType::EcP256).get(), device(i)));
  std::vector<std::shared_ptr<std::optional<Answer>>> answers;
  for (int i = 0; i < kCount; ++i)
    answers.push_back(ask(i, device(i), csrs[static_cast<size_t>(i)]));
  ASSERT_TRUE(run_until([&] { return issuance_->is_idle(); }));
  std::set<Bytes> certificates;
  for (const auto& answer : answers) {
    ASSERT_TRUE(answer->has_value());
    ASSERT_FALSE((*answer)->error);
    certificates.insert((*answer)->certificate);
  }
  EXPECT_EQ(certificates.size(), static_cast<size_t>(kCount));
  EXPECT_LT(commit_->counters().transactions, static_cast<uint64_t>(kCount))
      << "many requests share one fsync";
}

}  // namespace
}  // namespace linesign
