#include "appliance/ledger/group_commit.h"

#include <filesystem>
#include <fstream>
#include <future>

#include "tests/support/fault_vfs.h"
#include "tests/support/run_loop.h"
#include "tests/unit/appliance/ledger/ledger_fixture.h"

namespace linesign {
namespace {

using testing::FaultAt;
using testing::FaultVfs;
using testing::filled;
using testing::kNow;
using testing::Request;

class GroupCommitTest : public testing::LedgerTest {
 protected:
  void SetUp() override {
    vfs_ = FaultVfs::name();
    LedgerTest::SetUp();
    auto loop = EventLoop::create();
    ASSERT_TRUE(loop.has_value());
    loop_ = std::move(*loop);
    group_ = GroupCommit::start(*loop_,
                                settings(),
                                std::move(ledger_),
                                {.on_lost =
                                     [this](const Error& error) {
                                       lost_.push_back(error.code());
                                       lost_detail_ = error.detail();
                                     },
                                 .on_recovered =
                                     [this](std::vector<RecordedIntent> intents) {
                                       ++recoveries_;
                                       recovered_ = std::move(intents);
                                     }});
  }
  void TearDown() override {
    FaultVfs::heal();
    group_.reset();
  }

  void run_until(const std::function<bool()>& condition) {
    ASSERT_TRUE(test::run_loop_until(*loop_, condition)) << "not in time";
  }

  void write_intent(uint64_t number, std::function<void(Result<IntentOutcome>)> done) {
    auto request = std::make_shared<Request>(number);
    group_->write<IntentOutcome>(
        [request](Ledger& ledger) { return ledger.record_intent(request->intent); },
        std::move(done));
  }

  // A piece of work at which the ledger's thread stays until it is let go.
  struct Gate {
    std::future<void> is_reached;
    std::promise<void> opening;
    void open() { opening.set_value(); }
  };
  Gate write_gate(std::function<void(Result<void>)> done) {
    Gate gate;
    auto reached = std::make_shared<std::promise<void>>();
    auto opening = std::make_shared<std::future<void>>(gate.opening.get_future());
    gate.is_reached = reached->get_future();
    group_->write<void>(
        [reached, opening](Ledger&) -> Result<void> {
          reached->set_value();
          opening->wait();
          return {};
        },
        std::move(done));
    return gate;
  }
  // The thread is in a transaction of one piece: what is submitted until the gate opens is in the
  // next one, however slow this machine is.
  Gate hold_thread(std::function<void(Result<void>)> done) {
    Gate gate = write_gate(std::move(done));
    gate.is_reached.wait();
    return gate;
  }

  // Notes the numbers in the order in which they are told.
  void write_numbered(uint64_t number, Priority priority = Priority::Normal) {
    auto request = std::make_shared<Request>(number);
    group_->write<IntentOutcome>(
        [request](Ledger& ledger) { return ledger.record_intent(request->intent); },
        [this, number](const Result<IntentOutcome>& outcome) {
          told_.emplace_back(number,
                             outcome ? std::nullopt : std::optional(outcome.error().code()));
        },
        priority);
  }
  std::vector<uint64_t> told_numbers() const {
    std::vector<uint64_t> numbers;
    for (const auto& [number, error] : told_) numbers.push_back(number);
    return numbers;
  }

  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<GroupCommit> group_;
  std::vector<ErrorCode> lost_;
  std::string lost_detail_;  // the last one
  int recoveries_ = 0;
  std::vector<RecordedIntent> recovered_;
  std::vector<std::pair<uint64_t, std::optional<ErrorCode>>> told_;
};

TEST_F(GroupCommitTest, TellsWhatCameOfEachWorkInOrder) {
  std::vector<uint64_t> order;
  for (uint64_t number = 1; number <= 500; ++number) {
    write_intent(number, [&order, number](Result<IntentOutcome> outcome) {
      EXPECT_TRUE(outcome.has_value());
      EXPECT_EQ(std::get<RecordedIntent>(*outcome).device_id(), "device-" + std::to_string(number));
      order.push_back(number);
    });
  }
  run_until([&] { return order.size() == 500; });
  for (uint64_t i = 0; i < 500; ++i) EXPECT_EQ(order[i], i + 1);
  group_->close();
  open();
  EXPECT_EQ(ledger_->open_intents()->size(), 500U);
}

TEST_F(GroupCommitTest, SharesATransactionAmongAllThatWait) {
  int done = 0;
  Gate gate = hold_thread([&](Result<void>) { ++done; });
  for (uint64_t number = 1; number <= 300; ++number)
    write_intent(number, [&done](Result<IntentOutcome>) { ++done; });
  gate.open();
  run_until([&] { return done == 301; });
  const GroupCommitCounters counters = group_->counters();
  EXPECT_EQ(counters.writes, 301U);
  EXPECT_EQ(counters.transactions, 2U);
}

TEST_F(GroupCommitTest, GoesOnAfterARefusal) {
  std::vector<ErrorCode> codes;
  const auto note = [&codes](Result<IntentOutcome> outcome) {
    codes.push_back(outcome.has_value() ? ErrorCode{} : outcome.error().code());
  };
  write_intent(1, note);
  auto request = std::make_shared<Request>(2);
  request->intent.order_id = "none";
  group_->write<IntentOutcome>(
      [request](Ledger& ledger) { return ledger.record_intent(request->intent); }, note);
  write_intent(3, note);
  run_until([&] { return codes.size() == 3; });
  EXPECT_EQ(codes, (std::vector<ErrorCode>{ErrorCode{}, ErrorCode::OrderUnknown, ErrorCode{}}));
  EXPECT_TRUE(lost_.empty());
}

TEST_F(GroupCommitTest, RedeemsATokenOnceForTwoThatComeTogether) {
  group_->close();
  open();
  ASSERT_TRUE(in_transaction([&] {
                return ledger_->add_station(
                    "line-2", filled<32>(7, 20), kNow, kNow + std::chrono::hours(1));
              }).has_value());
  group_ = GroupCommit::start(*loop_, settings(), std::move(ledger_), {});
  std::vector<std::optional<ErrorCode>> outcomes;
  for (uint8_t key = 11; key <= 12; ++key) {
    group_->write<void>(
        [key](Ledger& ledger) -> Result<void> {
          LS_TRY(const StationRecord station,
                 ledger.check_token(filled<32>(7, 20), filled<32>(8, key), kNow));
          return ledger.activate_station(station.id, filled<32>(8, key), Bytes{0x30, key}, kNow);
        },
        [&outcomes](Result<void> result) {
          outcomes.push_back(result.has_value() ? std::nullopt
                                                : std::optional(result.error().code()));
        });
  }
  run_until([&] { return outcomes.size() == 2; });
  EXPECT_EQ(outcomes[0], std::nullopt);
  EXPECT_EQ(outcomes[1], ErrorCode::TokenUsed);
}

TEST_F(GroupCommitTest, ComesBackAfterAFailedCommitWithTheTruth) {
  int done = 0;
  write_intent(1, [&](Result<IntentOutcome>) { ++done; });
  run_until([&] { return done == 1; });
  FaultVfs::fail(FaultAt::Sync, 0, SQLITE_IOERR_FSYNC, 1);
  std::optional<ErrorCode> code;
  write_intent(2, [&](Result<IntentOutcome> outcome) {
    ASSERT_FALSE(outcome.has_value());
    code = outcome.error().code();
    EXPECT_EQ(lost_.size(), 1U);  // told before
    // Submitted while lost: refused at once, although the ledger may be back by then.
    write_intent(3, [&](Result<IntentOutcome> second) {
      ASSERT_FALSE(second.has_value());
      EXPECT_EQ(second.error().code(), ErrorCode::LedgerUnavailable);
      ++done;
    });
  });
  run_until([&] { return recoveries_ == 1 && done == 2; });
  EXPECT_EQ(code, ErrorCode::LedgerCommitUnknown);
  EXPECT_EQ(lost_.front(), ErrorCode::LedgerCommitUnknown);
  ASSERT_GE(recovered_.size(), 1U);
  EXPECT_LE(recovered_.size(), 2U);
  EXPECT_EQ(recovered_[0].device_id(), "device-1");
  const bool second_is_there = recovered_.size() == 2;
  bool is_open = false;
  write_intent(2, [&](Result<IntentOutcome> outcome) {
    ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
    is_open = std::holds_alternative<IntentOpen>(*outcome);
    ++done;
  });
  run_until([&] { return done == 3; });
  EXPECT_EQ(is_open, second_is_there);
}

TEST_F(GroupCommitTest, TriesUntilTheDiskIsBack) {
  FaultVfs::fail(FaultAt::Write, 0, SQLITE_FULL);
  int done = 0;
  write_intent(1, [&](Result<IntentOutcome> outcome) {
    EXPECT_FALSE(outcome.has_value());
    ++done;
  });
  run_until([&] { return done == 1; });
  FaultVfs::heal();
  run_until([&] { return recoveries_ == 1; });
  write_intent(1, [&](Result<IntentOutcome> outcome) {
    EXPECT_TRUE(outcome.has_value());
    ++done;
  });
  run_until([&] { return done == 2; });
}

TEST_F(GroupCommitTest, TellsAnotherReasonOfTheSameNumber) {
  const auto folder = settings().directory;
  std::filesystem::remove(folder / "ledger.lock");
  std::filesystem::create_directory(folder / "ledger.lock");  // no reopening succeeds
  FaultVfs::fail(FaultAt::Write, 0, SQLITE_IOERR);
  write_intent(1, [](const Result<IntentOutcome>&) {});
  run_until([&] { return lost_detail_.find("ledger.lock: Is a directory") != std::string::npos; });
  std::filesystem::rename(folder, folder.string() + ".away");
  std::ofstream(folder) << "a file";
  run_until([&] { return lost_detail_.find("Not a directory") != std::string::npos; });
  EXPECT_EQ(lost_.back(), ErrorCode::LedgerUnavailable);
}

TEST_F(GroupCommitTest, EndsTheTransactionWhenOneWorkFails) {
  std::vector<ErrorCode> codes;
  Gate gate = hold_thread([](Result<void>) {});
  const auto note = [&codes](Result<IntentOutcome> outcome) {
    ASSERT_FALSE(outcome.has_value());
    codes.push_back(outcome.error().code());
  };
  write_intent(1, note);
  group_->write<IntentOutcome>(
      [](Ledger&) -> Result<IntentOutcome> { return fail(ErrorCode::CryptoFailed); }, note);
  write_intent(2, note);
  gate.open();
  run_until([&] { return codes.size() == 3 && recoveries_ == 1; });
  EXPECT_EQ(
      codes,
      (std::vector<ErrorCode>{
          ErrorCode::LedgerUnavailable, ErrorCode::CryptoFailed, ErrorCode::LedgerUnavailable}));
  EXPECT_TRUE(recovered_.empty());  // rolled back: that is known here
}

TEST_F(GroupCommitTest, DoesUrgentWorkBeforeWhatWaits) {
  Gate gate = hold_thread([](Result<void>) {});
  for (uint64_t number = 1; number <= 100; ++number) write_numbered(number);
  write_numbered(1001, Priority::Urgent);
  write_numbered(1002, Priority::Urgent);
  gate.open();
  run_until([&] { return told_.size() == 102; });
  std::vector<uint64_t> expected = {1001, 1002};
  for (uint64_t number = 1; number <= 100; ++number) expected.push_back(number);
  EXPECT_EQ(told_numbers(), expected);
  // The one that it hurried into is a short one.
  EXPECT_EQ(group_->counters().transactions, 3U);
}

TEST_F(GroupCommitTest, TakesUrgentWorkIntoATransactionThatHasBegun) {
  Gate gate = hold_thread([](Result<void>) {});
  Gate second = write_gate([this](const Result<void>&) { told_.emplace_back(0, std::nullopt); });
  for (uint64_t number = 1; number <= 100; ++number) write_numbered(number);
  gate.open();
  second.is_reached.wait();  // a transaction of a hundred and one has begun
  write_numbered(1001, Priority::Urgent);
  second.open();
  run_until([&] { return told_.size() == 102; });
  std::vector<uint64_t> expected = {1001, 0};
  for (uint64_t number = 1; number <= 100; ++number) expected.push_back(number);
  EXPECT_EQ(told_numbers(), expected);
  EXPECT_EQ(group_->counters().transactions, 3U);
  group_->close();
  open();
  EXPECT_EQ(ledger_->open_intents()->size(), 101U) << "what was put back is done as well";
}

TEST_F(GroupCommitTest, ManyUrgentPiecesDoNotKeepTheOthersOut) {
  Gate gate = hold_thread([](Result<void>) {});
  Gate second = write_gate([](Result<void>) {});
  for (uint64_t number = 1; number <= 20; ++number) write_numbered(number);
  for (uint64_t number = 101; number <= 200; ++number) write_numbered(number, Priority::Urgent);
  gate.open();
  second.is_reached.wait();  // a hurried transaction of all urgent ones has begun
  second.open();
  run_until([&] { return told_.size() == 120; });
  EXPECT_EQ(group_->counters().transactions, 2U) << "the twenty were in it";
}

TEST_F(GroupCommitTest, ACrowdInAHurrySharesATransaction) {
  Gate gate = hold_thread([](Result<void>) {});
  for (uint64_t number = 1; number <= 300; ++number) write_numbered(number, Priority::Urgent);
  gate.open();
  run_until([&] { return told_.size() == 300; });
  EXPECT_EQ(group_->counters().transactions, 2U);
}

TEST_F(GroupCommitTest, KnowsWhatAHurriedTransactionThatFailsHadNotComeTo) {
  Gate gate = hold_thread([](Result<void>) {});
  for (uint64_t number = 1; number <= 100; ++number) write_numbered(number);
  write_numbered(1001, Priority::Urgent);
  FaultVfs::fail(FaultAt::Sync, 0, SQLITE_IOERR_FSYNC, 1);
  gate.open();
  run_until([&] { return told_.size() == 101 && recoveries_ == 1; });
  const auto count = [&](ErrorCode code) {
    return std::count_if(
        told_.begin(), told_.end(), [&](const auto& each) { return each.second == code; });
  };
  EXPECT_EQ(told_.front().first, 1001U);
  EXPECT_EQ(count(ErrorCode::LedgerCommitUnknown), 1 + 32);
  EXPECT_EQ(count(ErrorCode::LedgerUnavailable), 68) << "nobody asked the disk about these";
}

TEST_F(GroupCommitTest, FinishesWhatWasSubmittedWhenItCloses) {
  int done = 0;
  for (uint64_t number = 1; number <= 50; ++number)
    write_intent(number, [&done](Result<IntentOutcome> outcome) {
      EXPECT_TRUE(outcome.has_value());
      ++done;
    });
  group_->close();
  EXPECT_EQ(done, 50);
  group_->close();
  open();
  EXPECT_EQ(ledger_->open_intents()->size(), 50U);
}

TEST_F(GroupCommitTest, KeepsTheOrderWhenACallbackClosesIt) {
  std::vector<uint64_t> order;
  for (uint64_t number = 1; number <= 20; ++number) {
    write_intent(number, [&, number](Result<IntentOutcome>) {
      order.push_back(number);
      if (number == 3) group_->close();
    });
  }
  run_until([&] { return order.size() == 20; });
  for (uint64_t i = 0; i < 20; ++i) EXPECT_EQ(order[i], i + 1);
}

TEST_F(GroupCommitTest, RefusesWorkOnceClosed) {
  group_->close();
  std::optional<ErrorCode> code;
  write_intent(1, [&](Result<IntentOutcome> outcome) { code = outcome.error().code(); });
  EXPECT_FALSE(code.has_value());  // never inline
  run_until([&] { return code.has_value(); });
  EXPECT_EQ(code, ErrorCode::Draining);
}

TEST_F(GroupCommitTest, ClosesWhileTheLedgerIsLost) {
  FaultVfs::fail(FaultAt::Write, 0, SQLITE_FULL);
  int done = 0;
  write_intent(1, [&](Result<IntentOutcome>) { ++done; });
  run_until([&] { return done == 1; });
  write_intent(2, [&](Result<IntentOutcome> outcome) {
    EXPECT_FALSE(outcome.has_value());
    ++done;
  });
  group_->close();
  EXPECT_EQ(done, 2);
}

TEST_F(GroupCommitTest, ForgetsCallbacksOfTheLoopWhenItIsGone) {
  int done = 0;
  write_intent(1, [&](Result<IntentOutcome>) { ++done; });
  group_.reset();
  EXPECT_EQ(done, 1);  // told by close(); what was posted to the loop finds nothing
  bool is_later = false;
  loop_->post([&] { is_later = true; });
  run_until([&] { return is_later; });
  EXPECT_EQ(done, 1);
}

}  // namespace
}  // namespace linesign
