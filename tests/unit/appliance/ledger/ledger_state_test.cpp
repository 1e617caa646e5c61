// What an appliance has recorded of its ledger, outside of its folder, decides what is opened.
#include "appliance/ledger/ledger_state.h"

#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include <fmt/format.h>

#include "appliance/ledger/ledger_state_keeper.h"
#include "protocol/base/file.h"
#include "tests/support/broken_calls.h"
#include "tests/unit/appliance/ledger/ledger_fixture.h"

namespace linesign {
namespace {

using testing::filled;
using testing::kNow;
using testing::LedgerTest;
using testing::Request;

// What was released before ledgers had an identity.
constexpr const char* kToSchema2 =
    "DROP TABLE ledger_identity; DROP TABLE ledger_event; DROP TABLE clock_event;"
    "PRAGMA user_version = 2";

class LedgerStateTest : public LedgerTest {
 protected:
  LedgerSettings recorded() const {
    LedgerSettings settings = LedgerTest::settings();
    settings.state_file = folder_.path() / "station-ca" / "ledger-state.toml";
    settings.in_use_mark = folder_.path() / "station-ca" / "station-ca.key";
    return settings;
  }
  std::filesystem::path log() const { return file().string() + "-wal"; }

  void SetUp() override {
    open_recorded();
    const auto prepared = testing::prepare(*ledger_);
    ASSERT_TRUE(prepared.has_value()) << prepared.error().to_string();
    std::ofstream(recorded().in_use_mark) << "key";
  }
  void open_recorded() {
    ledger_.reset();
    auto opened = Ledger::open(recorded());
    ASSERT_TRUE(opened.has_value()) << opened.error().to_string();
    ledger_ = std::move(*opened);
  }
  // As a kill leaves it; or, in order, as a stop does.
  void stop(bool in_order) {
    if (in_order) {
      ASSERT_TRUE(ledger_->prepare_close().has_value());
    }
    LedgerState state = ledger_->state();
    state.is_closed = in_order;
    ASSERT_TRUE(write_ledger_state(recorded().state_file, state).has_value());
    ledger_.reset();
  }
  void copy_ledger(const char* from, const char* to) {
    std::filesystem::remove_all(folder_.path() / to);
    std::filesystem::copy(folder_.path() / from, folder_.path() / to);
  }
  Error refusal() {
    ledger_.reset();
    const auto opened = Ledger::open(recorded());
    EXPECT_FALSE(opened.has_value());
    return opened.has_value() ? Error(ErrorCode::Internal) : opened.error();
  }
  // Without a stop: as it is on disk while its owner lives.
  void kill_now() {
    copy_ledger("ledger", "killed");
    const std::string record = read(recorded().state_file);
    ledger_.reset();
    copy_ledger("killed", "ledger");
    std::ofstream(recorded().state_file) << record;
  }
  static std::string read(const std::filesystem::path& path) {
    const auto content = read_file(path, 1 << 20);
    EXPECT_TRUE(content.has_value());
    return content.has_value() ? std::string(as_text(*content)) : std::string();
  }
  ErrorCode accept(ErrorCode refused) {
    const auto said = Ledger::accept(recorded(), refused, kNow);
    return said.has_value() ? ErrorCode{} : said.error().code();
  }
};

TEST_F(LedgerStateTest, IsReadAsItWasWritten) {
  issue(1);
  const LedgerState state = ledger_->state();
  EXPECT_EQ(state.newest, 1U);
  EXPECT_EQ(state.newest_serial, (filled<16>(0x41, 1)));
  EXPECT_EQ(state.certificates, 1U);
  EXPECT_EQ(state.station_changes, 2U);
  ASSERT_TRUE(write_ledger_state(recorded().state_file, state).has_value());
  EXPECT_EQ(*read_ledger_state(recorded().state_file), state);
}

TEST_F(LedgerStateTest, IsTheSameAfterAReopening) {
  issue(1);
  const LedgerState before = ledger_->state();
  stop(true);
  open_recorded();
  EXPECT_EQ(ledger_->state(), before);
}

TEST_F(LedgerStateTest, RefusesAnOlderCopyWithBothCounts) {
  issue(1);
  stop(true);
  copy_ledger("ledger", "backup");
  open_recorded();
  issue(2);
  stop(true);
  copy_ledger("backup", "ledger");
  const Error error = refusal();
  EXPECT_EQ(error.code(), ErrorCode::LedgerOlder);
  EXPECT_NE(error.detail().find("has 1 certificates"), std::string::npos) << error.detail();
  EXPECT_NE(error.detail().find("2 certificates"), std::string::npos) << error.detail();
  EXPECT_NE(error.detail().find(recorded().directory.string()), std::string::npos);
}

TEST_F(LedgerStateTest, RefusesACopyFromBeforeARevocation) {
  stop(true);
  copy_ledger("ledger", "backup");
  open_recorded();
  const auto revoked = in_transaction([&] { return ledger_->revoke_station("line-1", kNow); });
  ASSERT_TRUE(revoked.has_value());
  stop(true);
  copy_ledger("backup", "ledger");
  EXPECT_EQ(refusal().code(), ErrorCode::LedgerOlder);
}

TEST_F(LedgerStateTest, RefusesAMissingLedgerAndMakesNothing) {
  stop(true);
  std::filesystem::remove_all(recorded().directory);
  EXPECT_EQ(refusal().code(), ErrorCode::LedgerUnknown);
  EXPECT_FALSE(std::filesystem::exists(recorded().directory));
}

TEST_F(LedgerStateTest, RefusesAnEmptyFileAndLeavesItEmpty) {
  stop(true);
  std::filesystem::remove(log());
  std::filesystem::resize_file(file(), 0);
  EXPECT_EQ(refusal().code(), ErrorCode::LedgerUnknown);
}

TEST_F(LedgerStateTest, RefusesAnotherLedger) {
  issue(1);
  stop(true);
  std::filesystem::remove_all(recorded().directory);
  open();  // one that nobody records
  ASSERT_TRUE(testing::prepare(*ledger_).has_value());
  issue(1);
  EXPECT_EQ(refusal().code(), ErrorCode::LedgerUnknown);
}

TEST_F(LedgerStateTest, RefusesOneWhoseNewestRowIsAnotherCertificate) {
  issue(1);
  stop(true);
  sql("UPDATE issuance SET serial = x'42000000000000000000000000000009'");
  EXPECT_EQ(refusal().code(), ErrorCode::LedgerUnknown);
}

TEST_F(LedgerStateTest, RefusesOneThatWentOnAfterTheLastStop) {
  issue(1);
  stop(true);
  open();
  issue(2);
  EXPECT_EQ(refusal().code(), ErrorCode::LedgerUnknown);
}

TEST_F(LedgerStateTest, TakesWhatCameAfterItsLastWriteWhenThereWasNoStop) {
  issue(1);
  stop(false);
  open();
  issue(2);
  ledger_.reset();
  std::ofstream(log()).flush();  // a kill leaves one
  open_recorded();
  EXPECT_EQ(ledger_->state().certificates, 2U);
}

TEST_F(LedgerStateTest, RefusesWhenTheLogIsMissingAfterAKill) {
  issue(1);
  copy_ledger("ledger", "killed");  // what is on disk while the owner lives
  issue(2);
  ledger_.reset();
  copy_ledger("killed", "ledger");
  std::filesystem::remove(log());
  EXPECT_EQ(refusal().code(), ErrorCode::LedgerReplaced);
  EXPECT_EQ(accept(ErrorCode::LedgerUnknown), ErrorCode::LedgerReplaced);
  EXPECT_EQ(accept(ErrorCode::LedgerOlder), ErrorCode{});
  open_recorded();
}

TEST_F(LedgerStateTest, WantsNoLogAfterAStopInOrder) {
  issue(1);
  stop(true);
  std::filesystem::remove(log());
  open_recorded();
  EXPECT_EQ(ledger_->state().certificates, 1U);
}

TEST_F(LedgerStateTest, RefusesADamagedRecord) {
  stop(true);
  std::ofstream(recorded().state_file, std::ios::app) << "newest = 5\n";
  const Error error = refusal();
  EXPECT_EQ(error.code(), ErrorCode::LedgerUnknown);
  EXPECT_NE(error.detail().find("ledger-state.toml"), std::string::npos) << error.detail();
  EXPECT_EQ(accept(ErrorCode::LedgerUnknown), ErrorCode{});
  open_recorded();
}

TEST_F(LedgerStateTest, RefusesAnyLedgerWhenTheRecordIsMissing) {
  stop(true);
  std::filesystem::remove(recorded().state_file);
  EXPECT_EQ(refusal().code(), ErrorCode::LedgerUnknown);
  std::filesystem::remove(recorded().in_use_mark);  // also beside a new station CA
  EXPECT_EQ(refusal().code(), ErrorCode::LedgerUnknown);
}

TEST_F(LedgerStateTest, TakesAnEmptyLedgerAtTheFirstStartOnly) {
  ledger_.reset();
  std::filesystem::remove_all(recorded().directory);
  std::filesystem::remove(recorded().state_file);
  EXPECT_EQ(refusal().code(), ErrorCode::LedgerUnknown);  // the station CA is there
  std::filesystem::remove(recorded().in_use_mark);
  open_recorded();
}

TEST_F(LedgerStateTest, TakesOverALedgerFromBeforeRecords) {
  issue(1);
  stop(true);
  sql(kToSchema2);
  EXPECT_EQ(refusal().code(), ErrorCode::LedgerOlder);  // the record knows a later one
  EXPECT_EQ(number("PRAGMA user_version"), 2);          // and it was left alone
  std::filesystem::remove(recorded().state_file);
  open_recorded();
  EXPECT_EQ(ledger_->state().certificates, 1U);
}

TEST_F(LedgerStateTest, ARestoredBackupIsAcceptedByItsOwnWordAndRemembered) {
  issue(1);
  stop(true);
  copy_ledger("ledger", "backup");
  open_recorded();
  issue(2);
  stop(true);
  copy_ledger("backup", "ledger");
  EXPECT_EQ(accept(ErrorCode::LedgerUnknown), ErrorCode::LedgerOlder);
  EXPECT_EQ(accept(ErrorCode::LedgerOlder), ErrorCode{});
  open_recorded();
  EXPECT_EQ(ledger_->state().certificates, 1U);
  stop(true);
  EXPECT_EQ(number("SELECT count(*) FROM ledger_event WHERE event = 'restored_ledger'"
                   " AND detail LIKE '%2 certificates%'"),
            1);
}

TEST_F(LedgerStateTest, AnEmptyLedgerIsAcceptedByItsOwnWordAndRemembered) {
  issue(1);
  stop(true);
  std::filesystem::remove_all(recorded().directory);
  EXPECT_EQ(accept(ErrorCode::LedgerOlder), ErrorCode::LedgerUnknown);
  EXPECT_FALSE(std::filesystem::exists(recorded().directory));
  EXPECT_EQ(accept(ErrorCode::LedgerUnknown), ErrorCode{});
  open_recorded();
  EXPECT_EQ(ledger_->state().certificates, 0U);
  stop(true);
  EXPECT_EQ(number("SELECT count(*) FROM ledger_event WHERE event = 'new_ledger'"), 1);
}

TEST_F(LedgerStateTest, AcceptingTheRightLedgerChangesNothing) {
  issue(1);
  stop(true);
  EXPECT_EQ(accept(ErrorCode::LedgerUnknown), ErrorCode{});
  EXPECT_EQ(number("SELECT count(*) FROM ledger_event"), 0);
}

TEST_F(LedgerStateTest, AcceptingAfterAKillLeavesWhatTheNextStartWants) {
  for (const ErrorCode word : {ErrorCode::LedgerOlder, ErrorCode::LedgerUnknown}) {
    open_recorded();
    kill_now();
    EXPECT_EQ(accept(word), ErrorCode{});  // nothing to accept
    EXPECT_TRUE(std::filesystem::exists(log()));
    EXPECT_TRUE((*read_ledger_state(recorded().state_file))->is_closed);
    open_recorded();
  }
}

TEST_F(LedgerStateTest, ARefusedWordAfterAKillLeavesTheLog) {
  issue(1);
  stop(true);
  copy_ledger("ledger", "backup");
  open_recorded();
  issue(2);
  ASSERT_TRUE(write_ledger_state(recorded().state_file, ledger_->state()).has_value());
  kill_now();
  copy_ledger("backup", "ledger");
  std::ofstream(log()).flush();
  EXPECT_EQ(accept(ErrorCode::LedgerUnknown), ErrorCode::LedgerOlder);
  EXPECT_TRUE(std::filesystem::exists(log()));
  EXPECT_EQ(refusal().code(), ErrorCode::LedgerOlder);
}

TEST_F(LedgerStateTest, AReopeningThatFailsHalfwayLeavesTheLog) {
  issue(1);
  kill_now();
  for (const char* fault : {"open:4-=EMFILE@ledger", "fsync=EIO@ledger", "rename=EIO@state"}) {
    testing::break_calls(fault);
    EXPECT_NE(refusal().code(), ErrorCode::LedgerReplaced) << fault;
    testing::break_calls("");
    EXPECT_TRUE(std::filesystem::exists(log())) << fault;
  }
  open_recorded();
}

TEST_F(LedgerStateTest, ABackupFromBeforeTheUpdateIsRestoredWithOneWord) {
  issue(1);
  stop(true);
  sql(kToSchema2);
  copy_ledger("ledger", "backup");
  std::filesystem::remove(recorded().state_file);
  for (const bool in_order : {true, false}) {
    open_recorded();
    issue(2);
    if (in_order) {
      stop(true);
    } else {
      kill_now();
    }
    copy_ledger("backup", "ledger");
    std::filesystem::remove(log());  // the former version left none
    EXPECT_EQ(refusal().code(), in_order ? ErrorCode::LedgerOlder : ErrorCode::LedgerReplaced);
    EXPECT_EQ(accept(ErrorCode::LedgerOlder), ErrorCode{});
    open_recorded();
    EXPECT_EQ(ledger_->state().certificates, 1U);
  }
}

TEST_F(LedgerStateTest, AnEmptyBackupFromBeforeTheUpdateIsRestoredToo) {
  stop(true);
  copy_ledger("ledger", "now");
  sql(kToSchema2);
  copy_ledger("ledger", "backup");
  copy_ledger("now", "ledger");
  open_recorded();
  issue(1);
  stop(true);
  copy_ledger("backup", "ledger");
  EXPECT_EQ(accept(ErrorCode::LedgerOlder), ErrorCode{});
  open_recorded();
  EXPECT_EQ(ledger_->state().certificates, 0U);
}

TEST_F(LedgerStateTest, ANewerBackupAfterAnOlderOneIsRestoredToo) {
  issue(1);
  stop(true);
  copy_ledger("ledger", "older");
  open_recorded();
  issue(2);
  stop(true);
  copy_ledger("ledger", "newer");
  copy_ledger("older", "ledger");
  EXPECT_EQ(accept(ErrorCode::LedgerOlder), ErrorCode{});
  open_recorded();
  issue(3);  // number 2 again
  stop(true);
  copy_ledger("newer", "ledger");
  EXPECT_EQ(accept(ErrorCode::LedgerOlder), ErrorCode{});
  open_recorded();
  EXPECT_EQ(ledger_->state().certificates, 2U);
}

TEST_F(LedgerStateTest, AnotherLedgerNeedsNoLogOfOurs) {
  issue(1);
  kill_now();
  std::filesystem::remove_all(recorded().directory);
  open();  // one that nobody records
  ASSERT_TRUE(testing::prepare(*ledger_).has_value());
  ledger_.reset();
  std::filesystem::remove(log());
  EXPECT_EQ(refusal().code(), ErrorCode::LedgerReplaced);
  EXPECT_EQ(accept(ErrorCode::LedgerOlder), ErrorCode::LedgerUnknown);
  EXPECT_EQ(accept(ErrorCode::LedgerUnknown), ErrorCode{});
  open_recorded();
}

// Each system call of an upgrade from schema 2 that changes something fails, or is the last one.
TEST_F(LedgerStateTest, AnUpgradeThatIsInterruptedAnywhereNeedsNobody) {
  issue(1);
  stop(true);
  sql(kToSchema2);
  copy_ledger("ledger", "schema-2");
  const auto upgrade_with = [&](const std::string& fault) {
    copy_ledger("schema-2", "ledger");
    std::filesystem::remove(recorded().state_file);
    testing::break_calls(fault);
    const pid_t child = ::fork();
    if (child == 0) ::_exit(Ledger::open(recorded()).has_value() ? 0 : 1);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    testing::break_calls("");
    return status == 0;
  };
  int interrupted = 0;
  for (const char* action : {"KILL", "EIO"}) {
    for (const char* call : {"open", "pwrite", "fsync", "fdatasync", "ftruncate", "rename"}) {
      // A call that fails may do no harm; three in a row: there is none of this number any more.
      for (int step = 1, harmless = 0; harmless < 3; ++step, ++interrupted) {
        const std::string fault =
            fmt::format("{}:{}={}@{}", call, step, action, folder_.path().string());
        harmless = upgrade_with(fault) ? harmless + 1 : 0;
        open_recorded();
        ASSERT_EQ(ledger_->state().certificates, 1U) << fault;
        stop(true);
        ASSERT_EQ(number("SELECT awaits_record FROM ledger_identity"), 0) << fault;
      }
    }
  }
  EXPECT_GT(interrupted, 40);
}

TEST_F(LedgerStateTest, TheWordForALedgerThatIsNotUpgradedYetUpgradesIt) {
  issue(1);
  stop(true);
  sql(kToSchema2);
  std::filesystem::remove(recorded().state_file);
  EXPECT_EQ(accept(ErrorCode::LedgerOlder), ErrorCode{});
  open_recorded();
  EXPECT_EQ(ledger_->state().certificates, 1U);
}

TEST_F(LedgerStateTest, ARecordThatCannotBeReadIsNoOtherLedger) {
  stop(true);
  for (const char* fault : {"open=EACCES@ledger-state", "open=EIO@ledger-state"}) {
    testing::break_calls(fault);
    EXPECT_EQ(refusal().code(), ErrorCode::LedgerUnavailable) << fault;
    EXPECT_EQ(accept(ErrorCode::LedgerUnknown), ErrorCode::LedgerUnavailable) << fault;
  }
  testing::break_calls("");
  open_recorded();
}

TEST_F(LedgerStateTest, AFolderThatCannotBeLookedIntoIsNotEmpty) {
  stop(true);
  const auto aside = folder_.path() / "aside";
  std::filesystem::rename(recorded().directory, aside);
  std::filesystem::create_directory_symlink(recorded().directory, recorded().directory);  // ELOOP
  EXPECT_EQ(refusal().code(), ErrorCode::LedgerUnavailable);
}

TEST_F(LedgerStateTest, AFileThatIsALinkIsRefusedWithWords) {
  stop(true);
  const auto aside = folder_.path() / "aside";
  for (const auto& path : {file(), log()}) {
    std::filesystem::rename(path, aside);
    std::filesystem::create_symlink(aside, path);
    const Error error = refusal();
    EXPECT_EQ(error.code(), ErrorCode::LedgerUnavailable);
    EXPECT_NE(error.detail().find(path.string() + " is a symbolic link"), std::string::npos)
        << error.detail();
    EXPECT_EQ(accept(ErrorCode::LedgerUnknown), ErrorCode::LedgerUnavailable);
    std::filesystem::rename(aside, path);
  }
  open_recorded();
}

TEST_F(LedgerStateTest, AFolderThatIsALinkWorks) {
  stop(true);
  const auto aside = folder_.path() / "aside";
  std::filesystem::rename(recorded().directory, aside);
  std::filesystem::create_directory_symlink(aside, recorded().directory);
  open_recorded();
  issue(1);
  EXPECT_TRUE(ledger_->check_files().has_value());
}

TEST_F(LedgerStateTest, ABackupOfAnotherApplianceIsRefusedInTheSchemaThatItHas) {
  issue(1);
  stop(true);
  copy_ledger("ledger", "ours");
  std::filesystem::remove_all(recorded().directory);
  open();  // one that nobody records
  ASSERT_TRUE(testing::prepare(*ledger_).has_value());
  issue(2);
  sql(kToSchema2);
  EXPECT_EQ(accept(ErrorCode::LedgerOlder), ErrorCode::LedgerUnknown);
  EXPECT_EQ(number("PRAGMA user_version"), 2);
  copy_ledger("ours", "ledger");
  open_recorded();
}

TEST_F(LedgerStateTest, OnlyTheOwnerOfTheFolderGivesTheWord) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may give folders away";
  stop(true);
  std::filesystem::remove(recorded().state_file);
  ASSERT_EQ(::chown(recorded().directory.c_str(), 65534, 65534), 0);
  const auto said = Ledger::accept(recorded(), ErrorCode::LedgerUnknown, kNow);
  ASSERT_FALSE(said.has_value());
  EXPECT_NE(said.error().detail().find("belongs to user 65534"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(recorded().state_file));
}

TEST_F(LedgerStateTest, ALookAtTheFilesThatFailsAfterACommitLeavesItUnknown) {
  const Request request(1);
  ASSERT_TRUE(ledger_->begin().has_value());
  ASSERT_TRUE(ledger_->record_intent(request.intent).has_value());
  const auto aside = folder_.path() / "aside";
  std::filesystem::rename(recorded().directory, aside);
  std::filesystem::create_directory_symlink(recorded().directory, recorded().directory);  // ELOOP
  EXPECT_EQ(testing::code_of(ledger_->commit()), ErrorCode::LedgerCommitUnknown);
  ledger_.reset();
  std::filesystem::remove(recorded().directory);
  std::filesystem::rename(aside, recorded().directory);
  open_recorded();
  EXPECT_EQ(ledger_->open_intents()->size(), 1U);
}

TEST_F(LedgerStateTest, AnIndexThatSomebodyLeftMayGo) {
  stop(true);
  const std::string index = file().string() + "-shm";
  std::ofstream(index) << "left by sqlite3";
  open_recorded();
  std::filesystem::remove(index);
  EXPECT_TRUE(ledger_->check_files().has_value());
}

TEST_F(LedgerStateTest, WhatAKillLeftBesideTheRecordIsRemoved) {
  const std::filesystem::path folder = recorded().state_file.parent_path();
  std::ofstream(folder / ".ledger-state.toml.Ab3xYz") << "half";
  const LedgerStateKeeper keeper(recorded().state_file, nullptr);
  EXPECT_FALSE(std::filesystem::exists(folder / ".ledger-state.toml.Ab3xYz"));
  EXPECT_TRUE(std::filesystem::exists(recorded().state_file));
  EXPECT_TRUE(std::filesystem::exists(recorded().in_use_mark));
}

TEST_F(LedgerStateTest, TheLockNamesNobodyAfterAClose) {
  const auto lock = recorded().directory / "ledger.lock";
  EXPECT_EQ(read(lock), std::to_string(::getpid()));
  ledger_.reset();
  EXPECT_EQ(read(lock), "");
}

}  // namespace
}  // namespace linesign
