#include "appliance/daemon/ledger_look.h"

#include <future>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/support/run_loop.h"
#include "tests/unit/appliance/ledger/ledger_fixture.h"

namespace linesign {
namespace {

class LedgerLookTest : public testing::LedgerTest {
 protected:
  void SetUp() override {
    LedgerTest::SetUp();
    if (HasFatalFailure()) return;
    issue(1);
    loop_ = EventLoop::create().value();
    group_ = GroupCommit::start(*loop_, settings(), std::move(ledger_), {});
  }
  void TearDown() override {
    let_go();
    group_.reset();
  }

  // Keeps the ledger's thread in its work, as a disk that hangs does.
  void hold_ledger() {
    auto held = std::make_shared<std::promise<void>>();
    auto going = std::make_shared<std::future<void>>(go_.get_future());
    auto is_held = held->get_future();
    is_holding_ = true;
    group_->write<void>(
        [held, going](Ledger&) -> Result<void> {
          held->set_value();
          going->wait();
          return {};
        },
        [this](const Result<void>&) { is_let_go_ = true; });
    is_held.wait();
  }
  void let_go() {
    if (std::exchange(is_holding_, false)) go_.set_value();
  }

  void make(std::chrono::milliseconds patience) {
    look_ = std::make_unique<LedgerLook>(*loop_, clock_, *group_, patience);
  }
  void look() {
    look_->look([this](const LedgerView& view) { views_.push_back(view); });
  }
  void run_until(const std::function<bool()>& condition) {
    ASSERT_TRUE(test::run_loop_until(*loop_, condition)) << "not in time";
  }

  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<GroupCommit> group_;
  FakeClock clock_;
  std::unique_ptr<LedgerLook> look_;
  std::vector<LedgerView> views_;
  std::promise<void> go_;
  bool is_holding_ = false;
  bool is_let_go_ = false;
};

TEST_F(LedgerLookTest, TellsWhatTheLedgerCounts) {
  make(std::chrono::minutes(5));
  look();
  run_until([this] { return !views_.empty(); });
  EXPECT_EQ(views_.front().summary.certificates, 1U);
  EXPECT_FALSE(views_.front().silent_since.has_value());
}

TEST_F(LedgerLookTest, TellsTheLastCountsWhileTheLedgerHangs) {
  make(std::chrono::milliseconds(20));
  hold_ledger();
  const UnixTime since = clock_.now();
  look();
  run_until([this] { return !views_.empty(); });
  clock_.advance(std::chrono::seconds(10));
  look();  // at once: it is known
  ASSERT_EQ(views_.size(), 2U);
  for (const LedgerView& view : views_) {
    EXPECT_EQ(view.summary.certificates, 1U);
    EXPECT_EQ(view.silent_since, since);
  }
}

// Also by the call that found it silent, which is not answered twice.
TEST_F(LedgerLookTest, BelievesTheLedgerOnceItAnswers) {
  make(std::chrono::milliseconds(20));
  hold_ledger();
  look();
  run_until([this] { return !views_.empty(); });
  let_go();
  // On a busy machine it may seem silent once more.
  run_until([this] {
    if (!is_let_go_) return false;
    look();
    return !views_.back().silent_since.has_value();
  });
  EXPECT_EQ(views_.back().summary.certificates, 1U);
}

TEST_F(LedgerLookTest, TellsTheLastCountsOfALedgerThatIsClosed) {
  make(std::chrono::minutes(5));
  group_->close();
  look();
  run_until([this] { return !views_.empty(); });
  EXPECT_EQ(views_.front().summary.certificates, 1U);
  EXPECT_FALSE(views_.front().silent_since.has_value());
}

}  // namespace
}  // namespace linesign
