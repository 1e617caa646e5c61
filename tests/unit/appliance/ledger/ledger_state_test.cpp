// What an appliance has recorded of its ledger, outside of its folder, decides what is opened.
#include "appliance/ledger/ledger_state.h"

#include <fstream>

#include "protocol/base/file.h"
#include "tests/unit/appliance/ledger/ledger_fixture.h"

namespace linesign {
namespace {

using testing::filled;
using testing::kNow;
using testing::LedgerTest;

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
  const std::string to_schema_3 =
      "DROP TABLE ledger_identity; DROP TABLE ledger_event; PRAGMA user_version = 3";
  sql(to_schema_3);
  EXPECT_EQ(refusal().code(), ErrorCode::LedgerUnknown);  // the record knows a later one
  EXPECT_EQ(number("PRAGMA user_version"), 3);            // and it was left alone
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

}  // namespace
}  // namespace linesign
