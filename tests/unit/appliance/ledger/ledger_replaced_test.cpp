// Files of the ledger are deleted, moved or replaced while it is open: nothing that was committed
// is lost, and nothing more is produced.
#include <unistd.h>

#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "appliance/ledger/group_commit.h"
#include "tests/support/broken_calls.h"
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
    testing::break_calls("");
    group_.reset();
  }

  void run_until(const std::function<bool()>& condition) {
    ASSERT_TRUE(test::run_loop_until(*loop_, condition)) << "not in time";
  }
  // A certificate; gives what its writer hears.
  std::optional<ErrorCode> write(uint64_t number, std::function<Result<void>()> then = nullptr) {
    const auto request = std::make_shared<Request>(number);
    std::optional<Result<void>> heard;
    group_->write<void>(
        [request, number, then](Ledger& ledger) -> Result<void> {
          if (then) LS_CHECK(then());
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
  // What saving has left in a folder under names of its own.
  static std::vector<std::filesystem::path> found(const std::filesystem::path& folder,
                                                  const std::string& begin) {
    std::vector<std::filesystem::path> paths;
    std::error_code error;
    for (const auto& each : std::filesystem::directory_iterator(folder, error)) {
      if (each.path().filename().string().rfind(begin, 0) == 0) paths.push_back(each.path());
    }
    return paths;
  }
  std::filesystem::path spare_folder() const { return recorded().state_file.parent_path(); }
  static std::string read(const std::filesystem::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  bool is_told(const std::string& part) const {
    return !lost_.empty() && lost_.back().detail().find(part) != std::string::npos;
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

// Valid, of the same ledger: SQLite would apply it to the database without a word.
TEST_F(LedgerReplacedTest, AnOlderLogOfTheSameLedgerIsPutAsideAndNotAppliedAtTheNextStart) {
  const auto older = folder_.path() / "older";
  std::filesystem::copy_file(log(), older);
  const std::string content = read(older);
  EXPECT_EQ(write(2), std::nullopt);
  std::filesystem::rename(older, log());
  expect_lost();
  EXPECT_FALSE(std::filesystem::exists(log()));
  const auto aside = found(recorded().directory, "ledger.sqlite-wal.foreign-");
  ASSERT_EQ(aside.size(), 1U);
  EXPECT_EQ(read(aside.front()), content);
  EXPECT_TRUE(is_told(aside.front().string())) << lost_.back().detail();
  expect_start(2);
}

TEST_F(LedgerReplacedTest, TheLogBesideADatabaseOfSomebodyElseStaysWithIt) {
  std::filesystem::remove(file());
  std::filesystem::remove(log());
  std::ofstream(log()) << "their log";
  std::ofstream(file()) << "their database";
  expect_lost();
  EXPECT_EQ(read(log()), "their log");
  EXPECT_EQ(found(recorded().directory, "ledger-rescued-").size(), 1U);
}

TEST_F(LedgerReplacedTest, ADeletedDatabaseWithAnotherHardLinkIsWrittenAgain) {
  std::filesystem::create_hard_link(file(), folder_.path() / "snapshot");
  std::filesystem::remove(file());
  expect_lost();
  EXPECT_TRUE(
      is_told("ledger.sqlite was deleted; every committed row was copied to " + file().string()))
      << lost_.back().detail();
  expect_start(1);
}

TEST_F(LedgerReplacedTest, AStopBeforeTheLookSavesADeletedLog) {
  std::filesystem::remove(log());
  group_->close();
  ASSERT_EQ(lost_.size(), 1U);
  EXPECT_EQ(lost_.front().code(), ErrorCode::LedgerReplaced);
  EXPECT_TRUE((*read_ledger_state(recorded().state_file))->is_closed);
  expect_start(1);
}

TEST_F(LedgerReplacedTest, AStopBeforeTheLookSavesADeletedFolder) {
  std::filesystem::remove_all(recorded().directory);
  group_->close();
  const auto copies = found(spare_folder(), "ledger-rescued-");
  ASSERT_EQ(copies.size(), 1U);
  EXPECT_TRUE(is_told(copies.front().string()));
  std::filesystem::create_directory(recorded().directory);
  std::filesystem::rename(copies.front(), file());
  expect_start(1);
}

// The disk is full, and somebody deletes the log to make room.
TEST_F(LedgerReplacedTest, AFailedCommitLooksAtTheFilesBeforeTheyAreClosed) {
  const auto heard = write(2, [this]() -> Result<void> {
    std::filesystem::remove(log());
    FaultVfs::fail(FaultAt::Write, 0, SQLITE_FULL);
    return {};
  });
  EXPECT_EQ(heard, ErrorCode::LedgerCommitUnknown);
  expect_lost();
  EXPECT_TRUE(is_told("every committed row is in " + file().string())) << lost_.back().detail();
  EXPECT_EQ((*read_ledger_state(recorded().state_file))->certificates, 1U);
  expect_start(1);
}

TEST_F(LedgerReplacedTest, AWorkThatFailsLooksAtTheFilesAndItsTransactionIsRolledBack) {
  const auto request = std::make_shared<Request>(2);
  std::optional<ErrorCode> heard;
  group_->write<void>(
      [this, request](Ledger& ledger) -> Result<void> {
        LS_CHECK(ledger.record_intent(request->intent));
        std::filesystem::remove(log());
        return fail(ErrorCode::CryptoFailed);
      },
      [&heard](const Result<void>& result) { heard = result.error().code(); });
  run_until([&heard] { return heard.has_value(); });
  EXPECT_EQ(heard, ErrorCode::CryptoFailed);
  expect_lost();
  EXPECT_TRUE(is_told("every committed row is in")) << lost_.back().detail();
  EXPECT_EQ((*read_ledger_state(recorded().state_file))->newest, 1U);
  expect_start(1);
}

TEST_F(LedgerReplacedTest, ARescueThatFailsIsTriedAgainUntilItSucceeds) {
  testing::break_calls("pwrite:3-=ENOSPC@ledger-rescued");
  std::filesystem::remove(file());
  expect_lost();
  EXPECT_TRUE(is_told("Do not stop linesignd")) << lost_.back().detail();
  EXPECT_TRUE(is_told("saving them failed")) << lost_.back().detail();
  for (const auto& folder : {recorded().directory, spare_folder()})
    EXPECT_TRUE(found(folder, "ledger-rescued-").empty()) << "half a copy";
  const size_t told = lost_.size();
  testing::break_calls("");
  run_until([this] { return is_told("copied to " + file().string()); });
  EXPECT_EQ(lost_.size(), told + 1) << "the same failure is told once";
  expect_start(1);
}

TEST_F(LedgerReplacedTest, ARescueThatFailedIsTriedAgainAtTheStop) {
  testing::break_calls("pwrite:3-=ENOSPC@ledger-rescued");
  std::filesystem::remove(file());
  expect_lost();
  testing::break_calls("");
  group_->close();
  EXPECT_TRUE(is_told("copied to " + file().string())) << lost_.back().detail();
  expect_start(1);
}

TEST_F(LedgerReplacedTest, AStopWithoutAnyPlaceSaysThatRowsAreLost) {
  testing::break_calls("pwrite:3-=ENOSPC@ledger-rescued");
  std::filesystem::remove(file());
  group_->close();
  EXPECT_TRUE(is_told("The newest rows end with linesignd")) << lost_.back().detail();
  EXPECT_FALSE((*read_ledger_state(recorded().state_file))->is_closed);
}

// In a container it always has the same.
TEST_F(LedgerReplacedTest, ACopyOfAnEarlierProcessOfTheSameNumberIsNoHindrance) {
  for (const auto& folder : {recorded().directory, spare_folder()})
    std::ofstream(folder / fmt::format("ledger-rescued-{}.sqlite", ::getpid())) << "earlier";
  std::filesystem::remove(file());
  expect_lost();
  EXPECT_TRUE(is_told("was copied to ")) << lost_.back().detail();
  expect_start(1);
}

TEST_F(LedgerReplacedTest, ACommitThatWasInDoubtAndIsThereCountsInTheRecordOfTheNextLoss) {
  FaultVfs::fail(FaultAt::Sync, 0, SQLITE_IOERR_FSYNC, 1);
  EXPECT_EQ(write(2), ErrorCode::LedgerCommitUnknown);
  run_until([this] { return recoveries_ == 1; });
  EXPECT_EQ(group_->last_summary().certificates, 2U);
  testing::break_calls("open=EACCES@ledger-state");  // the next reopening writes no record
  FaultVfs::fail(FaultAt::Write, 0, SQLITE_FULL);
  EXPECT_NE(write(3), std::nullopt);
  run_until([this] { return is_told("ledger-state.toml"); });
  const std::string record = read(recorded().state_file);
  EXPECT_NE(record.find("\ncertificates = 2\n"), std::string::npos) << record;
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
  const auto copies = found(spare_folder(), "ledger-rescued-");
  ASSERT_EQ(copies.size(), 1U);
  const auto& copy = copies.front();
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
  FaultVfs::fail(FaultAt::Sync, 0, SQLITE_IOERR_FSYNC, 1);
  testing::break_calls("open=EACCES@ledger-state");  // no reopening gets to the folder
  EXPECT_EQ(write(2), ErrorCode::LedgerCommitUnknown);
  run_until([this] { return is_told("ledger-state.toml"); });
  const auto moved = folder_.path() / "moved";
  std::filesystem::rename(recorded().directory, moved);  // as if its disk were unmounted
  testing::break_calls("");
  run_until([this] { return lost_.back().code() == ErrorCode::LedgerUnknown; });
  EXPECT_FALSE(std::filesystem::exists(recorded().directory));
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
