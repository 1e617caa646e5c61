// IssuanceTest: Issuance on a real ledger and a software CA; the signers are the test.
#ifndef LINESIGN_TESTS_UNIT_APPLIANCE_ISSUANCE_ISSUANCE_FIXTURE_H_
#define LINESIGN_TESTS_UNIT_APPLIANCE_ISSUANCE_ISSUANCE_FIXTURE_H_

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "appliance/issuance/issuance.h"
#include "hsm/x509/proof_verifier.h"
#include "tests/support/fake_clock.h"
#include "tests/support/run_loop.h"
#include "tests/support/software_ca.h"
#include "tests/support/temp_dir.h"

namespace linesign::test {

constexpr std::string_view kOrder = "default";
constexpr int kSigner = 4711;

// How a request ended.
struct Answer {
  Bytes certificate;
  std::optional<ErrorCode> error;
  std::chrono::milliseconds retry_after{0};
};

// Issuance on a real ledger and a software CA; the signers are the test, which decides when and how
// each intent ends.
class IssuanceTest : public ::testing::Test {
 protected:
  IssuanceTest() : clock_(kTestTime), loop_(std::move(*EventLoop::create())) { open(); }

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
        ClockGuard::Known{.built_on = kTestTime, .ledger = *time},
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
                        },
                    .drop_unwanted =
                        [this] {
                          std::erase_if(checks_,
                                        [](const auto& each) { return each->is_unwanted; });
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

  // As a disk that hangs: nothing that comes later is done until the promise is kept, or gone.
  std::promise<void> hold_ledger() {
    std::promise<void> held;
    commit_->write<void>(
        [release = held.get_future().share()](Ledger&) -> Result<void> {
          release.wait();
          return {};
        },
        [](const Result<void>&) {});
    return held;
  }

  // Asks the ledger for a certificate; the answer's error, if it has one.
  std::shared_ptr<std::optional<Answer>> fetch(const std::string& device) {
    auto answer = std::make_shared<std::optional<Answer>>();
    issuance_->fetch(station_,
                     {.order_id = kOrder, .device_id = device},
                     [answer](const tl::expected<ByteView, Refusal>& result) {
                       EXPECT_FALSE(answer->has_value()) << "a question is answered once";
                       answer->emplace();
                       if (!result) (*answer)->error = result.error().error.code();
                       return true;
                     });
    return answer;
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
    return run_loop_until(*loop_, condition);
  }

  Answer answer_to(int number, const std::string& device, const Bytes& csr) {
    const auto answer = ask(number, device, csr);
    EXPECT_TRUE(run_until([&] { return answer->has_value(); }));
    return answer->value_or(Answer{});
  }

  TempDir folder_;
  FakeClock clock_;
  std::unique_ptr<EventLoop> loop_;
  SoftwareCa ca_;
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
  EvpKey key_ = make_key(KeyType::EcP256);
  EvpKey other_key_ = make_key(KeyType::EcP256);
  Bytes csr_ = make_csr(key_.get(), "device-1");
};

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_UNIT_APPLIANCE_ISSUANCE_ISSUANCE_FIXTURE_H_
