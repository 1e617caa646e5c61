#include "appliance/signers/signer_pool.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "hsm/x509/csr.h"
#include "protocol/base/process.h"
#include "tests/support/fake_clock.h"
#include "tests/support/recorded_intents.h"
#include "tests/support/run_loop.h"

namespace linesign {
namespace {

using std::chrono::milliseconds;

// A time that no test waits for: what it would end must be ended by something else.
constexpr milliseconds kNever = std::chrono::hours(1);

// A pool of fake signers on a loop; each test waits for an outcome, never for a time.
class SignerPoolTest : public testing::Test {
 protected:
  SignerPoolTest() : loop_(std::move(*EventLoop::create())) {}

  struct Checked {
    std::string device;
    Result<CheckedBy> by;
  };

  void order(const std::string& words) {
    std::ofstream(config()) << "profile " << to_hex(intents_.profile_hash()) << "\n" << words;
  }

  std::filesystem::path lock() const { return folder_.path() / "login.lock"; }
  std::filesystem::path once() const { return folder_.path() / "once"; }
  std::filesystem::path log() const { return folder_.path() / "log"; }

  int count_logins() const {
    std::ifstream lines(log());
    return static_cast<int>(std::count(std::istreambuf_iterator<char>(lines), {}, '\n'));
  }

  std::filesystem::path config() const { return folder_.path() / "orders"; }

  void start(int signers,
             milliseconds sign_timeout = milliseconds(400),
             milliseconds start_timeout = milliseconds(800)) {
    pool_ = std::make_unique<SignerPool>(
        *loop_,
        *pool_clock_,
        SignerPoolSettings{.executable = LINESIGN_FAKE_SIGNER,
                           .config = config(),
                           .signers = signers,
                           .threads_per_signer = 1,
                           .sign_timeout = sign_timeout,
                           .start_timeout = start_timeout,
                           .login_lock = lock(),
                           .wrong_signatures = folder_.path() / "wrong-signatures",
                           .profile_hash = intents_.profile_hash()},
        SignerPoolEvents{.on_checked =
                             [this](const CheckRequest& request, Result<CheckedBy> checked) {
                               checked_.push_back({request.device_id, std::move(checked)});
                             },
                         .on_signed =
                             [this](const RecordedIntent& intent, Result<ByteView> signature) {
                               ++outcomes_[intent.device_id()];
                               if (signature) {
                                 const Sha256 hash = sha256(intent.tbs());
                                 EXPECT_EQ(as_text(*signature),
                                           "signed:" + std::string(as_text(hash)));
                               } else {
                                 refused_[intent.device_id()] = signature.error().code();
                               }
                             },
                         .on_change = [] {},
                         .on_trouble =
                             [this](const Error& error) {
                               troubles_.push_back(error.code());
                               logins_.push_back(count_logins());
                             },
                         .on_pace = {}});
    pool_->start();
  }

  template <typename Condition>
  bool run_until(Condition condition) {
    return test::run_loop_until(*loop_, std::move(condition), milliseconds(10));
  }

  bool run_until_outcomes(size_t count) {
    return run_until([&] { return outcomes_.size() >= count; });
  }

  bool troubled_by(ErrorCode code) const {
    return std::find(troubles_.begin(), troubles_.end(), code) != troubles_.end();
  }

  // The intents exist beforehand: their hashes are what a check is about.
  void check(const std::string& device) {
    auto& intent = checked_intents_[device];
    if (intent == nullptr) intent = intents_.make(device);
    auto request = std::make_shared<CheckRequest>();
    request->id = ++last_check_;
    request->station_id = 1;
    request->device_id = device;
    request->tbs_hash = sha256(intent->tbs());
    request->csr = to_bytes(intent->csr());
    pool_->check(std::move(request));
  }

  void sign_checked(const Checked& checked) {
    ASSERT_TRUE(checked.by) << checked.by.error().to_string();
    pool_->sign(checked_intents_.at(checked.device), *checked.by, 1);
  }

  // Checks all, then signs all.
  void check_all(int count) {
    for (int i = 0; i < count; ++i) check("device-" + std::to_string(i));
    ASSERT_TRUE(run_until([&] { return checked_.size() >= static_cast<size_t>(count); }));
  }
  void sign_all() {
    for (const Checked& each : checked_) sign_checked(each);
  }

  // What the fake signers were given: "check", "checked" (by its number) or "whole".
  int count_work(const std::string& kind) const {
    std::ifstream lines(folder_.path() / "work");
    return static_cast<int>(std::count(std::istream_iterator<std::string>(lines), {}, kind));
  }
  std::string work_log() const { return "work-log " + (folder_.path() / "work").string() + " "; }

  void expect_each_once() const {
    for (const auto& [device, count] : outcomes_) EXPECT_EQ(count, 1) << device;
  }

  TempDir folder_;
  RecordedIntents intents_;
  SystemClock clock_;
  FakeClock stopped_clock_;
  const Clock* pool_clock_ = &clock_;
  std::unique_ptr<EventLoop> loop_;
  std::map<std::string, int> outcomes_;
  std::map<std::string, ErrorCode> refused_;
  std::vector<ErrorCode> troubles_;
  std::vector<int> logins_;  // until each of the troubles
  uint64_t last_check_ = 0;
  std::vector<Checked> checked_;
  std::map<std::string, std::shared_ptr<const RecordedIntent>> checked_intents_;
  std::unique_ptr<SignerPool> pool_;
};

TEST_F(SignerPoolTest, SignsEveryIntentOnce) {
  order("");
  start(3);
  for (int i = 0; i < 100; ++i) pool_->sign(intents_.make("device-" + std::to_string(i)), {}, 1);
  EXPECT_TRUE(run_until_outcomes(100));
  expect_each_once();
  EXPECT_TRUE(refused_.empty());
  EXPECT_EQ(pool_->token(), "fake token");
  EXPECT_EQ(pool_->obstacle(), std::nullopt);
}

TEST_F(SignerPoolTest, PassesARefusalOnAsProofThatNothingWasSigned) {
  order("refuse bad");
  start(1);
  pool_->sign(intents_.make("good"), {}, 1);
  pool_->sign(intents_.make("bad"), {}, 1);
  EXPECT_TRUE(run_until_outcomes(2));
  EXPECT_EQ(refused_.at("bad"), ErrorCode::CsrProofWrong);
  EXPECT_EQ(refused_.size(), 1U);
}

TEST_F(SignerPoolTest, GivesTheWorkOfACrashedSignerToAnother) {
  order("crash-on device-7 once " + (folder_.path() / "once").string());
  start(2);
  for (int i = 0; i < 60; ++i) pool_->sign(intents_.make("device-" + std::to_string(i)), {}, 1);
  EXPECT_TRUE(run_until_outcomes(60));
  expect_each_once();
  EXPECT_TRUE(troubled_by(ErrorCode::HsmUnavailable));
}

TEST_F(SignerPoolTest, ReplacesASignerThatDoesNotAnswer) {
  order("hang-on device-3 once " + (folder_.path() / "once").string());
  start(1);
  for (int i = 0; i < 40; ++i) pool_->sign(intents_.make("device-" + std::to_string(i)), {}, 1);
  EXPECT_TRUE(run_until_outcomes(40));
  expect_each_once();
  EXPECT_TRUE(troubled_by(ErrorCode::SignerTimeout));
}

TEST_F(SignerPoolTest, ReplacesASignerThatIsSilentAtStart) {
  order("silent once " + (folder_.path() / "once").string());
  start(1);
  pool_->sign(intents_.make("device"), {}, 1);
  EXPECT_TRUE(run_until_outcomes(1));
  EXPECT_TRUE(troubled_by(ErrorCode::SignerTimeout));
}

TEST_F(SignerPoolTest, LetsOthersPassWhenOneIntentKillsEverySigner) {
  order("crash-on poison");
  start(1);
  pool_->sign(intents_.make("poison"), {}, 1);
  for (int i = 0; i < 40; ++i) pool_->sign(intents_.make("device-" + std::to_string(i)), {}, 1);
  EXPECT_TRUE(run_until_outcomes(40));
  expect_each_once();
  EXPECT_EQ(outcomes_.count("poison"), 0U);
  EXPECT_EQ(pool_->queued(), 1U) << "the intent is kept for a later try";
}

TEST_F(SignerPoolTest, TriesAnIntentAgainAfterAnErrorOfTheHsm) {
  order("hsm-error device-1 once " + (folder_.path() / "once").string());
  start(1);
  pool_->sign(intents_.make("device-1"), {}, 1);
  EXPECT_TRUE(run_until([&] { return troubled_by(ErrorCode::HsmOperationFailed); }));
  // The fake goes on misbehaving until it is restarted; a kill from outside does that.
  ::kill(pool_->signers().front().pid, SIGKILL);
  EXPECT_TRUE(run_until_outcomes(1));
}

TEST_F(SignerPoolTest, StopsForGoodAfterOneRefusedPin) {
  order("fail 501");
  start(4);
  pool_->sign(intents_.make("device"), {}, 1);
  EXPECT_TRUE(run_until([&] { return !troubles_.empty(); }));
  run_until([rounds = 0]() mutable { return ++rounds > 50; });
  EXPECT_EQ(troubles_.size(), 1U) << "one try, not one for each signer";
  ASSERT_TRUE(pool_->obstacle());
  EXPECT_EQ(pool_->obstacle()->code(), ErrorCode::HsmPinRefused);
  EXPECT_EQ(pool_->signers().front().state, "stopped");
}

TEST_F(SignerPoolTest, SurvivesOneWrongSignature) {
  order("sign-wrong device once " + (folder_.path() / "once").string());
  start(1);
  pool_->sign(intents_.make("device"), {}, 1);
  EXPECT_TRUE(run_until_outcomes(1));
  EXPECT_TRUE(troubled_by(ErrorCode::HsmSignatureWrong));
}

TEST_F(SignerPoolTest, HearsWhyASignerLeavesAlthoughItLeavesWorkUnread) {
  order("slow 200 sign-wrong device-0 once " + once().string());
  start(1, milliseconds(5000), kNever);
  for (int i = 0; i < 4; ++i) pool_->sign(intents_.make("device-" + std::to_string(i)), {}, 1);
  EXPECT_TRUE(run_until_outcomes(4));
  EXPECT_EQ(troubles_, std::vector<ErrorCode>{ErrorCode::HsmSignatureWrong});
}

TEST_F(SignerPoolTest, GoesOnWithoutASignerThatSignedWronglyTwice) {
  order("sign-wrong device");
  start(1);
  pool_->sign(intents_.make("device"), {}, 1);
  EXPECT_TRUE(run_until([&] { return pool_->signers().front().quarantined_since.has_value(); }));
  pool_.reset();
  order("");
  start(2);
  EXPECT_EQ(pool_->obstacle()->code(), ErrorCode::HsmUnavailable) << "it only starts";
  pool_->sign(intents_.make("another"), {}, 1);
  EXPECT_TRUE(run_until_outcomes(1));
  const auto signers = pool_->signers();
  EXPECT_EQ(signers[0].state, "quarantined");
  EXPECT_EQ(signers[0].wrong_signatures, 2U);
  EXPECT_EQ(signers[0].pid, 0) << "it is not started";
  EXPECT_EQ(signers[1].state, "ready");
}

TEST_F(SignerPoolTest, StopsWhenTwoSignersSignWronglyUntilAnOperatorTrustsTheHsm) {
  order("sign-wrong device login-log " + log().string());
  start(4);
  pool_->sign(intents_.make("device"), {}, 1);
  EXPECT_TRUE(
      run_until([&] { return pool_->obstacle() && troubled_by(ErrorCode::HsmNotTrusted); }));
  run_until([rounds = 0]() mutable { return ++rounds > 50; });
  EXPECT_FALSE(pool_->is_ready());
  EXPECT_EQ(pool_->obstacle()->code(), ErrorCode::HsmNotTrusted);
  EXPECT_EQ(pool_->queued(), 1U) << "its intent is finished later";
  uint64_t wrong = 0;
  for (const SignerInfo& signer : pool_->signers()) wrong += signer.wrong_signatures;
  EXPECT_LE(wrong, 6U) << "two of two, and one of each other that was busy with it";
  pool_.reset();
  troubles_.clear();
  order("login-log " + log().string());
  const int logins = count_logins();
  start(4);
  run_until([rounds = 0]() mutable { return ++rounds > 50; });
  EXPECT_EQ(pool_->obstacle()->code(), ErrorCode::HsmNotTrusted) << "a restart forgets nothing";
  EXPECT_EQ(count_logins(), logins);
  const auto released = pool_->trust();
  ASSERT_TRUE(released.has_value());
  EXPECT_EQ(*released, 2U);
  pool_->sign(intents_.make("device-2"), {}, 1);
  EXPECT_TRUE(run_until_outcomes(1));
}

TEST_F(SignerPoolTest, CountsAStartWithAWrongProofAsAWrongSignature) {
  order("fail 506");
  start(2);
  EXPECT_TRUE(run_until([&] { return troubled_by(ErrorCode::HsmNotTrusted); }));
  EXPECT_EQ(pool_->signers()[0].wrong_signatures, 2U);
  EXPECT_EQ(pool_->signers()[1].wrong_signatures, 2U);
  EXPECT_EQ(pool_->obstacle()->code(), ErrorCode::HsmNotTrusted);
}

TEST_F(SignerPoolTest, GoesOnWhenTheHsmComesBack) {
  order("fail 500 once " + (folder_.path() / "once").string());
  start(2);
  pool_->sign(intents_.make("device"), {}, 1);
  EXPECT_TRUE(run_until_outcomes(1));
  EXPECT_TRUE(troubled_by(ErrorCode::HsmUnavailable));
}

TEST_F(SignerPoolTest, StartsTheNextOneWhenOneHangsBeforeItsLogin) {
  order("hang-in starting once " + once().string());
  start(4, kNever, kNever);
  pool_->sign(intents_.make("device"), {}, 1);
  EXPECT_TRUE(run_until_outcomes(1));
}

TEST_F(SignerPoolTest, StartsTheNextOneWhenOneHangsAfterItsLogin) {
  order("hang-in proof once " + once().string());
  start(4, kNever, kNever);
  pool_->sign(intents_.make("device"), {}, 1);
  EXPECT_TRUE(run_until_outcomes(1));
}

TEST_F(SignerPoolTest, LetsNoOtherTryThePinWhileOneHangsInItsLogin) {
  order("hang-in login login-log " + log().string() + " once " + once().string());
  start(3);
  pool_->sign(intents_.make("device"), {}, 1);
  EXPECT_TRUE(run_until([&] { return troubled_by(ErrorCode::SignerTimeout); }));
  EXPECT_LE(logins_.front(), 1) << "when the first one was given up";
  EXPECT_TRUE(run_until_outcomes(1)) << "the next one may when the first is gone";
}

TEST_F(SignerPoolTest, TriesARefusedPinOnceAndANewOneAtOnce) {
  const auto pin = folder_.path() / "pin";
  order("refuse-pin " + pin.string() + " login-log " + log().string());
  start(4, kNever, kNever);
  pool_->sign(intents_.make("device"), {}, 1);
  EXPECT_TRUE(run_until([&] { return troubled_by(ErrorCode::HsmPinRefused); }));
  ASSERT_TRUE(pool_->obstacle());
  EXPECT_EQ(pool_->obstacle()->code(), ErrorCode::HsmPinRefused);
  for (const SignerInfo& signer : pool_->signers()) EXPECT_EQ(signer.state, "stopped");
  run_until([rounds = 0]() mutable { return ++rounds > 50; });
  EXPECT_EQ(count_logins(), 1) << "one try, not one for each signer";
  std::ofstream(pin) << "another";
  EXPECT_TRUE(run_until_outcomes(1));
  EXPECT_TRUE(run_until([&] { return count_logins() == 5; })) << "all four are back";
}

TEST_F(SignerPoolTest, WaitsForAnotherPinAlsoWhenASecondLoginOfOneStartIsRefused) {
  order("refuse-late " + once().string() + " login-log " + log().string());
  start(2, kNever, kNever);
  pool_->sign(intents_.make("device"), {}, 1);
  EXPECT_TRUE(run_until([&] { return troubled_by(ErrorCode::HsmPinRefused); }));
  EXPECT_EQ(pool_->obstacle()->code(), ErrorCode::HsmPinRefused);
  std::ofstream(once()) << "another";
  EXPECT_TRUE(run_until_outcomes(1)) << "somebody watches the PIN file";
}

TEST_F(SignerPoolTest, LetsOthersSignWhileOneWaitsForTheNextTryOfItsLogin) {
  order("");
  start(2, kNever, kNever);
  const auto all_ready = [&] {
    const auto signers = pool_->signers();
    return signers[0].state == "ready" && signers[1].state == "ready";
  };
  EXPECT_TRUE(run_until(all_ready));
  order("pause " + once().string());
  ::kill(pool_->signers().front().pid, SIGKILL);
  EXPECT_TRUE(run_until([&] { return troubled_by(ErrorCode::SignerTimeout); }));
  EXPECT_EQ(pool_->signers().front().state, "waiting");
  pool_->sign(intents_.make("device"), {}, 1);
  EXPECT_TRUE(run_until_outcomes(1));
  std::ofstream(once()) << "the token may answer again";
  EXPECT_TRUE(run_until(all_ready));
}

TEST_F(SignerPoolTest, TriesByItselfWhenNoSignerIsLoggedInAndTheTokenDoesNotAnswer) {
  order("pause " + once().string());
  start(2, kNever, kNever);
  EXPECT_TRUE(run_until([&] { return troubled_by(ErrorCode::SignerTimeout); }));
  EXPECT_EQ(pool_->obstacle()->code(), ErrorCode::SignerTimeout) << "not a rejected PIN";
  pool_->sign(intents_.make("device"), {}, 1);
  std::ofstream(once()) << "the token may answer again";
  EXPECT_TRUE(run_until_outcomes(1));
}

TEST_F(SignerPoolTest, ReplacesWhoWatchesThePinWithoutATryAndStartsNoOther) {
  const auto memory = folder_.path() / "memory";
  order("refuse-pin " + once().string() + " pin-memory " + memory.string() + " login-log " +
        log().string());
  start(3, kNever, kNever);
  pool_->sign(intents_.make("device"), {}, 1);
  const auto watcher = [&] {
    for (const SignerInfo& signer : pool_->signers()) {
      if (signer.state == "stopped" && signer.pid != 0) return signer.pid;
    }
    return 0;
  };
  for (int kills = 0; kills < 3; ++kills) {
    ASSERT_TRUE(run_until([&] { return watcher() != 0; }));
    const int former = watcher();
    ::kill(former, SIGKILL);
    ASSERT_TRUE(run_until([&] { return watcher() != 0 && watcher() != former; }));
    EXPECT_EQ(pool_->obstacle()->code(), ErrorCode::HsmPinRefused);
    const auto signers = pool_->signers();
    EXPECT_EQ(std::count_if(signers.begin(),
                            signers.end(),
                            [](const SignerInfo& signer) { return signer.pid != 0; }),
              1);
  }
  EXPECT_EQ(count_logins(), 1) << "the refused PIN is tried once";
  std::ofstream(once()) << "another";
  EXPECT_TRUE(run_until_outcomes(1));
}

TEST_F(SignerPoolTest, BlamesNoCheckWhenASignerSaysThatItsHsmIsAway) {
  order("fail-in-check 5 login-log " + log().string());
  start(1, kNever, kNever);
  check("device");
  EXPECT_TRUE(run_until([&] { return !checked_.empty(); }));
  EXPECT_TRUE(checked_.front().by) << "five signers ended, and none because of it";
  EXPECT_EQ(count_logins(), 6);
}

TEST_F(SignerPoolTest, DelaysNoIntentWhenASignerSaysThatItsHsmIsAway) {
  pool_clock_ = &stopped_clock_;  // what is delayed would never come
  order("fail-in-sign 5 login-log " + log().string());
  start(1, kNever, kNever);
  pool_->sign(intents_.make("device"), {}, 1);
  EXPECT_TRUE(run_until_outcomes(1));
  EXPECT_EQ(count_logins(), 6);
}

// Two signers of three are ready, and one of these is trying the PIN again: now the HSM is not
// trusted any more.
class SignerPoolLoginTest : public SignerPoolTest {
 protected:
  void distrust_during_a_login() {
    pool_clock_ = &stopped_clock_;  // no login takes too long before the test says so
    const int64_t now = stopped_clock_.now().time_since_epoch().count();
    std::ofstream(folder_.path() / "wrong-signatures")
        << "0 1 " << now << " 0\n2 2 " << now << " " << now << "\n";
    order("sign-wrong bad login-log " + log().string());
    start(3, kNever, std::chrono::seconds(10));
    ASSERT_TRUE(run_until([&] {
      return pool_->signers()[0].state == "ready" && pool_->signers()[1].state == "ready";
    }));
    order("slow-login " + go().string() + " login-log " + log().string());
    ::kill(pool_->signers()[1].pid, SIGKILL);
    ASSERT_TRUE(run_until([&] { return count_logins() == 3; }));
    pid_ = pool_->signers()[1].pid;
    pool_->sign(intents_.make("bad"), {}, 1);
    ASSERT_TRUE(run_until([&] { return troubled_by(ErrorCode::HsmNotTrusted); }));
    EXPECT_EQ(pool_->signers()[1].pid, 0);
  }
  std::filesystem::path go() const { return folder_.path() / "go"; }

  int pid_ = 0;
};

TEST_F(SignerPoolLoginTest, LetsOneFinishThatTriesThePinWhenAllAreStopped) {
  distrust_during_a_login();
  std::ofstream(go()) << "go";
  EXPECT_TRUE(run_until([&] { return count_logins() == 4; })) << "it was not killed";
  EXPECT_TRUE(run_until([&] { return !is_running(pid_); }));
}

TEST_F(SignerPoolLoginTest, KillsOneInTheEndThatDoesNotFinishItsLogin) {
  distrust_during_a_login();
  stopped_clock_.advance(std::chrono::seconds(11));
  EXPECT_TRUE(run_until([&] { return !is_running(pid_); }));
  EXPECT_EQ(count_logins(), 3);
}

TEST_F(SignerPoolTest, TellsWhatALookFindsAgainAndAgainOnce) {
  order("fail-early 508 login-log " + log().string());
  start(2, kNever, kNever);
  EXPECT_TRUE(run_until([&] { return !troubles_.empty(); }));
  const uint64_t looks = pool_->signers().front().restarts;
  EXPECT_TRUE(run_until([&] { return pool_->signers().front().restarts >= looks + 3; }));
  EXPECT_EQ(troubles_.size(), 1U);
  EXPECT_EQ(count_logins(), 0);
  EXPECT_EQ(pool_->obstacle()->code(), ErrorCode::HsmTokenNotFound);
}

// The login lock, the PIN memory and the PIN file are opened before the PIN is tried: they are
// looked at as often as what is found missing before the login.
TEST_F(SignerPoolTest, LooksOftenAtTheFilesOfALogin) {
  for (const ErrorCode code : {ErrorCode::Io, ErrorCode::HsmPinFile}) {
    troubles_.clear();
    order("fail " + std::to_string(static_cast<int>(code)));
    start(1, kNever, kNever);
    EXPECT_TRUE(run_until([&] { return pool_->signers().front().restarts >= 3; }));
    EXPECT_EQ(troubles_, std::vector{code}) << "what a look finds again is told once";
    EXPECT_EQ(pool_->obstacle()->code(), code);
  }
}

TEST_F(SignerPoolTest, SparesASlowHsmThatIsAlive) {
  order("slow 150");
  start(1, milliseconds(600), kNever);
  for (int i = 0; i < 12; ++i) pool_->sign(intents_.make("device-" + std::to_string(i)), {}, 1);
  EXPECT_TRUE(run_until_outcomes(12));
  expect_each_once();
  EXPECT_TRUE(troubles_.empty()) << "each signature is in time, all of them together are not";
}

TEST_F(SignerPoolTest, GivesTheNextIntentToWhoIsIdle) {
  order("hang-on device-0 once " + once().string());
  start(2, kNever, kNever);
  EXPECT_TRUE(run_until([&] { return pool_->signers().back().state == "ready"; }));
  pool_->sign(intents_.make("device-0"), {}, 1);
  for (size_t i = 1; i < 8; ++i) {
    pool_->sign(intents_.make("device-" + std::to_string(i)), {}, 1);
    ASSERT_TRUE(run_until_outcomes(i)) << "it waits behind one that hangs";
  }
}

TEST_F(SignerPoolTest, NamesWhoKeepsTheLoginLock) {
  const UniqueFd held(::open(lock().c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::flock(held.get(), LOCK_EX), 0);
  order("hang-in login once " + once().string());
  start(1, kNever, kNever);
  EXPECT_TRUE(run_until([&] { return troubled_by(ErrorCode::HsmUnavailable); }));
  ASSERT_TRUE(pool_->obstacle());
  EXPECT_NE(pool_->obstacle()->detail().find("held by process " + std::to_string(::getpid())),
            std::string::npos)
      << pool_->obstacle()->detail();
}

TEST_F(SignerPoolTest, SignsByItsNumberWhatTheSameSignerHasChecked) {
  order(work_log());
  start(3);
  check_all(60);
  sign_all();
  EXPECT_TRUE(run_until_outcomes(60));
  expect_each_once();
  EXPECT_EQ(count_work("check"), 60);
  EXPECT_EQ(count_work("checked"), 60);
  EXPECT_EQ(count_work("whole"), 0) << "nothing is checked twice";
}

TEST_F(SignerPoolTest, PassesOnWhyACheckFailed) {
  order("refuse-check bad");
  start(1, kNever, kNever);
  check("bad");
  check("good");
  EXPECT_TRUE(run_until([&] { return checked_.size() == 2; }));
  EXPECT_EQ(checked_[0].by.error().code(), ErrorCode::CsrProofWrong);
  EXPECT_TRUE(checked_[1].by);
  EXPECT_TRUE(troubles_.empty());
}

TEST_F(SignerPoolTest, HasAnotherSignerCheckAnewWhenItsOwnIsGone) {
  order(work_log());
  start(1);
  check_all(20);
  ::kill(pool_->signers().front().pid, SIGKILL);
  sign_all();
  EXPECT_TRUE(run_until_outcomes(20));
  expect_each_once();
  EXPECT_EQ(count_work("whole"), 20 - count_work("checked"));
  EXPECT_GT(count_work("whole"), 0);
}

TEST_F(SignerPoolTest, SendsTheWholeIntentToASignerThatHasForgotten) {
  order(work_log() + "forget yes");
  start(2, kNever, kNever);
  check_all(10);
  sign_all();
  EXPECT_TRUE(run_until_outcomes(10));
  expect_each_once();
  EXPECT_EQ(count_work("whole"), 10);
  EXPECT_TRUE(troubles_.empty());
}

TEST_F(SignerPoolTest, ChecksAgainWhatASignerDidNotFinishChecking) {
  order("crash-in-check device-5 once " + once().string());
  start(2);
  check_all(20);
  sign_all();
  EXPECT_TRUE(run_until_outcomes(20));
  expect_each_once();
}

TEST_F(SignerPoolTest, GivesACheckUpThatKillsEverySigner) {
  order("crash-in-check poison");
  start(1);
  check("poison");
  check_all(20);
  EXPECT_TRUE(run_until([&] { return checked_.size() == 21; }));
  for (const Checked& each : checked_) {
    if (each.device != "poison") {
      EXPECT_TRUE(each.by);
      continue;
    }
    ASSERT_FALSE(each.by);
    EXPECT_EQ(each.by.error().kind(), ErrorKind::Retry) << "nobody knows what is wrong with it";
  }
}

TEST_F(SignerPoolTest, AnIdleSignerTakesOverWhatAHangingOneHasChecked) {
  order("hang-on device-0 once " + once().string());
  start(2, kNever, kNever);
  EXPECT_TRUE(run_until([&] { return pool_->signers().back().state == "ready"; }));
  check_all(60);
  const auto first = std::find_if(checked_.begin(), checked_.end(), [](const Checked& each) {
    return each.device == "device-0";
  });
  sign_checked(*first);
  checked_.erase(first);
  EXPECT_TRUE(run_until([&] { return std::filesystem::exists(once()); }));
  sign_all();
  // All but the one that hangs and the batch that its signer was given before that showed.
  EXPECT_TRUE(run_until_outcomes(60 - 1 - kMaxBatchItems));
  expect_each_once();
}

TEST_F(SignerPoolTest, ForgetsChecksThatNobodyWaitsFor) {
  order("silent once " + once().string());
  start(1, kNever, kNever);
  for (int i = 0; i < 5; ++i) check("device-" + std::to_string(i));
  EXPECT_EQ(pool_->queued(), 5U);
  pool_->forget_queue();
  EXPECT_EQ(pool_->queued(), 0U);
}

TEST_F(SignerPoolTest, EndsASignerThatAnswersForAForeignCheck) {
  order("foreign-check once " + once().string());
  start(1);
  check("device");
  EXPECT_TRUE(run_until([&] { return !checked_.empty(); }));
  EXPECT_TRUE(checked_.front().by);
  EXPECT_TRUE(troubled_by(ErrorCode::SignerProtocol));
}

TEST_F(SignerPoolTest, RefusesASignerWithAnotherProfile) {
  std::ofstream(config()) << "profile " << std::string(64, '0');
  start(1);
  EXPECT_TRUE(run_until([&] { return troubled_by(ErrorCode::ConfigConflict); }));
  EXPECT_FALSE(pool_->is_ready());
}

TEST_F(SignerPoolTest, EndsASignerThatTalksGarbage) {
  order("garbage once " + (folder_.path() / "once").string());
  start(1);
  pool_->sign(intents_.make("device"), {}, 1);
  EXPECT_TRUE(run_until_outcomes(1));
  EXPECT_TRUE(troubled_by(ErrorCode::SignerProtocol));
}

TEST_F(SignerPoolTest, EndsASignerThatAnswersForAForeignIntent) {
  order("foreign once " + (folder_.path() / "once").string());
  start(1);
  pool_->sign(intents_.make("device"), {}, 1);
  EXPECT_TRUE(run_until_outcomes(1));
  expect_each_once();
  EXPECT_TRUE(troubled_by(ErrorCode::SignerProtocol));
}

TEST_F(SignerPoolTest, SurvivesKillsBetweenCheckAndSignature) {
  order("");
  start(3);
  constexpr size_t kRequests = 240;
  size_t signed_until = 0;
  for (size_t i = 0; i < kRequests; ++i) {
    check("device-" + std::to_string(i));
    if (i % 30 != 0) continue;
    run_until([] { return true; });
    const int pid = pool_->signers()[i / 30 % 3].pid;
    if (pid > 0) ::kill(pid, SIGKILL);
  }
  EXPECT_TRUE(run_until([&] {
    for (; signed_until < checked_.size(); ++signed_until) {
      const Checked& each = checked_[signed_until];
      if (each.by) {
        sign_checked(each);
      } else {
        check(each.device);  // three signers died over it; its station asks again
      }
    }
    return outcomes_.size() == kRequests;
  }));
  expect_each_once();
}

TEST_F(SignerPoolTest, SurvivesKillsAtRandomMoments) {
  order("");
  start(3);
  constexpr int kIntents = 240;
  for (int i = 0; i < kIntents; ++i) {
    pool_->sign(intents_.make("device-" + std::to_string(i)), {}, 1);
    if (i % 40 != 0) continue;
    run_until([] { return true; });
    const int pid = pool_->signers()[static_cast<size_t>(i / 40) % 3].pid;
    if (pid > 0) ::kill(pid, SIGKILL);
  }
  EXPECT_TRUE(run_until_outcomes(kIntents));
  expect_each_once();
}

}  // namespace
}  // namespace linesign
