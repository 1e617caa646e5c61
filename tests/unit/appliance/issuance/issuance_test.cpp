#include "appliance/issuance/issuance.h"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "hsm/x509/proof_verifier.h"
#include "tests/support/fake_clock.h"
#include "tests/support/software_ca.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kOrder = "default";
constexpr int kSigner = 4711;

// How a request ended.
struct Answer {
  Bytes certificate;
  std::optional<ErrorCode> error;
  milliseconds retry_after{0};
};

// Issuance on a real ledger and a software CA; the signers are the test, which decides when and how
// each intent ends.
class IssuanceTest : public testing::Test {
 protected:
  IssuanceTest() : clock_(test::kTestTime), loop_(std::move(*EventLoop::create())) { open(); }

  ~IssuanceTest() override { close(); }

  void open(const Profile& profile = {}) {
    auto builder = CertificateBuilder::create(profile, ca_.certificate());
    ASSERT_TRUE(builder) << builder.error().to_string();
    auto ledger = Ledger::open(ledger_settings());
    ASSERT_TRUE(ledger) << ledger.error().to_string();
    ASSERT_TRUE((*ledger)->begin());
    ASSERT_TRUE((*ledger)->remember_profile(builder->profile_hash(),
                                            canonical_text(profile),
                                            ca_.der(),
                                            signature_algorithm_der(KeyType::EcP256),
                                            clock_.now()));
    if (station_.id == 0) {
      auto station = (*ledger)->add_station("line1", Sha256{}, clock_.now(), clock_.now());
      ASSERT_TRUE(station) << station.error().to_string();
      station_ = {.id = station->id, .name = station->name};
      auto other = (*ledger)->add_station("line2", Sha256{1}, clock_.now(), clock_.now());
      ASSERT_TRUE(other) << other.error().to_string();
      other_station_ = {.id = other->id, .name = other->name};
    }
    ASSERT_TRUE((*ledger)->commit());
    auto open_intents = (*ledger)->open_intents();
    ASSERT_TRUE(open_intents);
    const auto time = (*ledger)->time();
    ASSERT_TRUE(time);
    commit_ = GroupCommit::start(*loop_, ledger_settings(), std::move(*ledger), {});
    health_ = std::make_unique<Health>(clock_, [](Cause, const std::optional<Error>&) {});
    guard_ = std::make_unique<ClockGuard>(
        clock_,
        *health_,
        ca_.certificate(),
        ClockLimits{},
        ClockGuard::Known{.built_on = test::kTestTime, .ledger = *time},
        [this](const ClockEvent& event, auto done) {
          commit_->write<void>(
              [event](Ledger& its_ledger) { return its_ledger.record_clock_event(event); },
              std::move(done));
        });
    limits_.check_device_id = [this](std::string_view, std::string_view device) -> Result<void> {
      if (device != not_allowed_) return {};
      return fail(ErrorCode::DeviceIdNotAllowed, "target production-eu");
    };
    issuance_ = std::make_unique<Issuance>(
        *loop_,
        *guard_,
        *health_,
        *commit_,
        std::move(*builder),
        limits_,
        SignerCalls{.check =
                        [this](const std::shared_ptr<const CheckRequest>& request, Priority) {
                          checks_.push_back(request);
                          if (check_at_once_) check(*request);
                        },
                    .sign =
                        [this](const std::shared_ptr<const RecordedIntent>& intent,
                               const CheckedBy& checked_by,
                               int64_t,
                               Priority) {
                          ++sign_orders_;
                          checked_by_.push_back(checked_by);
                          if (sign_at_once_) {
                            sign(*intent);
                          } else {
                            waiting_.push_back(intent);
                          }
                        }});
    issuance_->recover(std::move(*open_intents));
  }

  // Like a crash: what is in memory is gone.
  void close() {
    if (commit_ == nullptr) return;
    commit_->close();
    waiting_.clear();
    checks_.clear();
    issuance_.reset();
    guard_.reset();
    health_.reset();
    commit_.reset();
    sign_orders_ = 0;
  }

  LedgerSettings ledger_settings() const { return {.directory = folder_.path() / "ledger"}; }

  void check(const CheckRequest& request) {
    issuance_->on_checked(request, CheckedBy{.check_id = request.id, .signer = kSigner});
  }
  void fail_check(const CheckRequest& request, ErrorCode code) {
    issuance_->on_checked(request, fail(code));
  }

  // What the ledger holds, after everything that was submitted.
  LedgerSummary ledger() {
    std::optional<LedgerSummary> summary;
    commit_->write<LedgerSummary>([](Ledger& ledger) { return ledger.summary(); },
                                  [&](Result<LedgerSummary> found) { summary = *found; });
    EXPECT_TRUE(run_until([&] { return summary.has_value(); }));
    return *summary;
  }
  void expect_nothing_written() {
    const LedgerSummary summary = ledger();
    EXPECT_EQ(summary.intents + summary.certificates + summary.voids, 0U);
  }

  void sign(const RecordedIntent& intent) {
    const Bytes signature = ca_.sign(intent.tbs());
    issuance_->on_signed(intent, ByteView(signature));
  }

  static RequestId request_id(int number) {
    RequestId id{};
    id[0] = static_cast<uint8_t>(number >> 8);
    id[1] = static_cast<uint8_t>(number);
    return id;
  }

  // Asks, and gives the place where the answer will be.
  std::shared_ptr<std::optional<Answer>> ask(int number,
                                             const std::string& device,
                                             const Bytes& csr) {
    auto answer = std::make_shared<std::optional<Answer>>();
    issuance_->issue(
        station_,
        {.request_id = request_id(number), .order_id = kOrder, .device_id = device, .csr_der = csr},
        [answer](tl::expected<ByteView, Refusal> result) {
          EXPECT_FALSE(answer->has_value()) << "a request is answered once";
          answer->emplace();
          if (result) {
            (*answer)->certificate = to_bytes(*result);
          } else {
            (*answer)->error = result.error().error.code();
            (*answer)->retry_after = result.error().retry_after;
          }
          return true;
        });
    return answer;
  }

  bool run_until(const std::function<bool()>& condition) {
    bool met = false;
    int rounds = 0;
    std::unique_ptr<Timer> poll;
    poll = loop_->make_timer([&] {
      met = condition();
      if (met || ++rounds > 2000) {
        loop_->stop();
      } else {
        poll->start(milliseconds(5));
      }
    });
    poll->start(milliseconds(0));
    loop_->run();
    return met;
  }

  Answer answer_to(int number, const std::string& device, const Bytes& csr) {
    const auto answer = ask(number, device, csr);
    EXPECT_TRUE(run_until([&] { return answer->has_value(); }));
    return answer->value_or(Answer{});
  }

  TempDir folder_;
  FakeClock clock_;
  std::unique_ptr<EventLoop> loop_;
  test::SoftwareCa ca_;
  StationIdentity station_;
  StationIdentity other_station_;
  IssuanceLimits limits_;
  std::unique_ptr<GroupCommit> commit_;
  std::unique_ptr<Health> health_;
  std::unique_ptr<ClockGuard> guard_;
  std::unique_ptr<Issuance> issuance_;
  bool check_at_once_ = true;
  bool sign_at_once_ = true;
  std::string not_allowed_;  // a device id that a target does not take
  int sign_orders_ = 0;
  std::vector<std::shared_ptr<const CheckRequest>> checks_;
  std::vector<CheckedBy> checked_by_;  // of the orders to sign
  std::vector<std::shared_ptr<const RecordedIntent>> waiting_;
  EvpKey key_ = test::make_key(KeyType::EcP256);
  EvpKey other_key_ = test::make_key(KeyType::EcP256);
  Bytes csr_ = test::make_csr(key_.get(), "device-1");
};

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
  clock_.advance(std::chrono::seconds(11));
  ASSERT_TRUE(run_until([&] { return late->has_value(); }));
  EXPECT_EQ((*late)->error, ErrorCode::Unavailable);
  EXPECT_EQ(issuance_->in_flight(), 1U) << "a signer may still be at it";
  check(*checks_.front());
  EXPECT_TRUE(issuance_->is_idle());
  expect_nothing_written();
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

// --- the clock

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
