// Files of the ledger are deleted, moved or replaced while it is open: nothing that was committed
// is lost, and nothing more is produced.
#include <unistd.h>

#include <fstream>

#include <fmt/format.h>

#include "appliance/ledger/group_commit.h"
#include "tests/support/fault_vfs.h"
#include "tests/support/run_loop.h"
#include "tests/unit/appliance/ledger/ledger_fixture.h"

namespace linesign {
namespace {

using testing::FaultAt;
using testing::FaultVfs;
using testing::Request;

class LedgerReplacedTest : public testing::LedgerTest {
 protected:
  LedgerSettings recorded() const {
    LedgerSettings settings = LedgerTest::settings();
    settings.state_file = folder_.path() / "station-ca" / "ledger-state.toml";
    return settings;
  }
  std::filesystem::path log() const { return file().string() + "-wal"; }

  void SetUp() override {
    vfs_ = FaultVfs::name();
    auto opened = Ledger::open(recorded());
    ASSERT_TRUE(opened.has_value()) << opened.error().to_string();
    ledger_ = std::move(*opened);
    ASSERT_TRUE(testing::prepare(*ledger_).has_value());
    auto loop = EventLoop::create();
    ASSERT_TRUE(loop.has_value());
    loop_ = std::move(*loop);
    group_ = GroupCommit::start(
        *loop_,
        recorded(),
        std::move(ledger_),
        {.on_lost = [this](const Error& error) { lost_.push_back(error); },
         .on_recovered = [this](const std::vector<RecordedIntent>&) { ++recoveries_; },
         .on_record = [this](const std::optional<Error>& error) { record_.push_back(error); }});
    write(1);
  }
  void TearDown() override {
    FaultVfs::heal();
    group_.reset();
  }

  void run_until(const std::function<bool()>& condition) {
    ASSERT_TRUE(test::run_loop_until(*loop_, condition)) << "not in time";
  }
  // A certificate; gives what its writer hears.
  std::optional<ErrorCode> write(uint64_t number) {
    const auto request = std::make_shared<Request>(number);
    std::optional<Result<void>> heard;
    group_->write<void>(
        [request, number](Ledger& ledger) -> Result<void> {
          LS_TRY(const IntentOutcome outcome, ledger.record_intent(request->intent));
          return ledger.record_certificate(std::get<RecordedIntent>(outcome).issuance_id(),
                                           testing::signature_of(number),
                                           testing::kNow);
        },
        [&heard](Result<void> result) { heard = std::move(result); });
    run_until([&heard] { return heard.has_value(); });
    if (heard->has_value()) return std::nullopt;
    return heard->error().code();
  }
  void expect_lost() {
    run_until([this] { return !lost_.empty(); });
    EXPECT_EQ(lost_.front().code(), ErrorCode::LedgerReplaced) << lost_.front().to_string();
    EXPECT_EQ(recoveries_, 0);
    EXPECT_EQ(write(9), ErrorCode::LedgerUnavailable);
  }
  // A start after a kill: as many certificates as were written.
  void expect_start(uint64_t certificates) {
    group_.reset();
    const auto opened = Ledger::open(recorded());
    ASSERT_TRUE(opened.has_value()) << opened.error().to_string();
    EXPECT_EQ((*opened)->summary()->certificates, certificates);
    EXPECT_EQ((*opened)->state().is_closed, false);
  }

  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<GroupCommit> group_;
  std::vector<Error> lost_;
  std::vector<std::optional<Error>> record_;
  int recoveries_ = 0;
};

TEST_F(LedgerReplacedTest, ADeletedLogIsNoticedWithoutAnyWriteAndNothingIsLost) {
  std::filesystem::remove(log());
  expect_lost();
  EXPECT_NE(lost_.front().detail().find("ledger.sqlite-wal was deleted"), std::string::npos)
      << lost_.front().detail();
  expect_start(1);
}

TEST_F(LedgerReplacedTest, ACommitIntoADeletedLogIsNotCalledDurable) {
  std::filesystem::remove(log());
  const auto heard = write(2);
  EXPECT_TRUE(heard == ErrorCode::LedgerCommitUnknown || heard == ErrorCode::LedgerUnavailable);
  expect_lost();
  expect_start(heard == ErrorCode::LedgerCommitUnknown ? 2 : 1);
}

TEST_F(LedgerReplacedTest, AReplacedLogIsNotAppliedAndNothingIsLost) {
  std::filesystem::rename(log(), folder_.path() / "elsewhere");
  std::ofstream(log()) << "somebody else's";
  expect_lost();
  expect_start(1);
}

TEST_F(LedgerReplacedTest, ADeletedDatabaseIsWrittenAgain) {
  std::filesystem::remove(file());
  expect_lost();
  EXPECT_NE(lost_.front().detail().find("copied to " + file().string()), std::string::npos)
      << lost_.front().detail();
  expect_start(1);
}

TEST_F(LedgerReplacedTest, ADatabaseInPlaceOfTheDeletedOneIsLeftAlone) {
  std::filesystem::remove(file());
  std::ofstream(file()) << "somebody else's";
  expect_lost();
  EXPECT_EQ(std::filesystem::file_size(file()), 15U);
  EXPECT_NE(lost_.front().detail().find("ledger-rescued-"), std::string::npos)
      << lost_.front().detail();
}

TEST_F(LedgerReplacedTest, ADeletedFolderIsSavedBesideTheRecord) {
  std::filesystem::remove_all(recorded().directory);
  expect_lost();
  const auto copy =
      recorded().state_file.parent_path() / fmt::format("ledger-rescued-{}.sqlite", ::getpid());
  EXPECT_NE(lost_.front().detail().find(copy.string()), std::string::npos)
      << lost_.front().detail();
  group_.reset();
  std::filesystem::create_directory(recorded().directory);
  std::filesystem::rename(copy, file());
  expect_start(1);
}

TEST_F(LedgerReplacedTest, AMovedFolderKeepsEverything) {
  const auto moved = folder_.path() / "moved";
  std::filesystem::rename(recorded().directory, moved);
  expect_lost();
  EXPECT_NE(lost_.front().detail().find(moved.string()), std::string::npos)
      << lost_.front().detail();
  group_.reset();
  std::filesystem::rename(moved, recorded().directory);
  expect_start(1);
}

TEST_F(LedgerReplacedTest, ARecordThatCannotBeWrittenIsToldUntilItCan) {
  const auto folder = recorded().state_file.parent_path();
  std::filesystem::rename(folder, folder_.path() / "aside");
  std::ofstream(folder.string()) << "no folder";
  EXPECT_EQ(write(2), std::nullopt);
  run_until([this] { return record_.size() == 1; });
  EXPECT_EQ(record_[0]->code(), ErrorCode::LedgerUnavailable);
  std::filesystem::remove(folder);
  std::filesystem::rename(folder_.path() / "aside", folder);
  run_until([this] { return record_.size() == 2; });
  EXPECT_FALSE(record_[1].has_value());
  EXPECT_EQ((*read_ledger_state(recorded().state_file))->certificates, 2U);
}

TEST_F(LedgerReplacedTest, ALedgerThatIsGoneAtTheReopeningIsAwaitedAndNoneIsMade) {
  FaultVfs::fail(FaultAt::Sync, 0, SQLITE_IOERR_FSYNC);
  const auto moved = folder_.path() / "moved";
  std::filesystem::rename(recorded().directory, moved);  // as if its disk were unmounted
  EXPECT_EQ(write(2), ErrorCode::LedgerCommitUnknown);
  run_until([this] { return !lost_.empty() && lost_.back().code() == ErrorCode::LedgerUnknown; });
  EXPECT_FALSE(std::filesystem::exists(recorded().directory));
  FaultVfs::heal();
  std::filesystem::rename(moved, recorded().directory);
  run_until([this] { return recoveries_ == 1; });
  EXPECT_EQ(write(3), std::nullopt);
}

TEST_F(LedgerReplacedTest, AStopInOrderIsRecorded) {
  group_.reset();
  const auto state = read_ledger_state(recorded().state_file);
  ASSERT_TRUE(state.has_value() && state->has_value());
  EXPECT_TRUE((*state)->is_closed);
  EXPECT_EQ((*state)->certificates, 1U);
}

}  // namespace
}  // namespace linesign
