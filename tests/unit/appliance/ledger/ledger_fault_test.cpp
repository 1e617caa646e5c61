// Disks that fail: what is answered then, and what the reopened ledger says.
#include <filesystem>

#include "tests/support/broken_calls.h"
#include "tests/support/fault_vfs.h"
#include "tests/unit/appliance/ledger/ledger_fixture.h"

namespace linesign {
namespace {

using testing::FaultAt;
using testing::FaultVfs;
using testing::kNow;
using testing::Request;

class LedgerFaults : public testing::LedgerTest {
 protected:
  void SetUp() override {
    vfs_ = FaultVfs::name();
    ASSERT_FALSE(vfs_.empty());
    LedgerTest::SetUp();
  }
  void TearDown() override { FaultVfs::heal(); }

  bool is_whole(uint64_t number) {
    const auto intents = ledger_->open_intents();
    EXPECT_TRUE(intents.has_value());
    const bool is_there = !intents->empty();
    EXPECT_EQ(ledger_->summary()->intents, is_there ? 1U : 0U);
    // Whichever it is, the same request can be made again and there is one row.
    const Request request(number);
    const auto again = record(request);
    EXPECT_TRUE(again.has_value()) << again.error().to_string();
    EXPECT_EQ(std::holds_alternative<IntentOpen>(*again), is_there);
    return ledger_->open_intents()->size() == 1;
  }
};

TEST_F(LedgerFaults, LeaveAFailedSyncUnknownUntilTheReopening) {
  const Request request(1);
  ASSERT_TRUE(ledger_->begin().has_value());
  ASSERT_TRUE(ledger_->record_intent(request.intent).has_value());
  FaultVfs::fail(FaultAt::Sync, 0, SQLITE_IOERR_FSYNC, 1);
  const auto committed = ledger_->commit();
  ASSERT_FALSE(committed.has_value());
  EXPECT_EQ(committed.error().code(), ErrorCode::LedgerCommitUnknown);
  EXPECT_EQ(FaultVfs::failures(), 1);
  EXPECT_EQ(ledger_->begin().error().code(), ErrorCode::LedgerUnavailable);
  EXPECT_EQ(ledger_->open_intents().error().code(), ErrorCode::LedgerUnavailable);
  FaultVfs::heal();
  open();
  EXPECT_TRUE(is_whole(1));
}

TEST_F(LedgerFaults, LeaveAnyFailedWriteOfACommitUnknownAndTheLedgerWhole) {
  for (int step = 0; step < 12; ++step) {
    SCOPED_TRACE(step);
    const Request request(1);
    ASSERT_TRUE(ledger_->begin().has_value());
    ASSERT_TRUE(ledger_->record_intent(request.intent).has_value());
    FaultVfs::fail(FaultAt::Write, step, SQLITE_IOERR_WRITE);
    const auto committed = ledger_->commit();
    const bool has_failed = FaultVfs::failures() > 0;
    FaultVfs::heal();
    ASSERT_EQ(committed.has_value(), !has_failed);
    if (has_failed) {
      EXPECT_EQ(committed.error().code(), ErrorCode::LedgerCommitUnknown);
    }
    open();
    ASSERT_TRUE(is_whole(1));
    const uint64_t id = ledger_->open_intents()->front().issuance_id();
    ASSERT_TRUE(in_transaction([&] {
                  return ledger_->record_void(id, ErrorCode::CsrProofWrong, kNow);
                }).has_value());
  }
}

// After a failed fsync Linux shows bytes that never reached the disk; who believes them loses them.
TEST_F(LedgerFaults, MakeAStartWriteTheLogAgainBeforeItIsBelieved) {
  ASSERT_TRUE(record(Request(1)).has_value());
  const auto kept = folder_.path() / "kept";
  std::filesystem::copy(file().parent_path(), kept);
  ledger_.reset();
  std::filesystem::remove_all(file().parent_path());
  std::filesystem::rename(kept, file().parent_path());
  for (const char* fault : {"pwrite=EIO@ledger.sqlite-wal", "fsync=EIO@ledger.sqlite-wal"}) {
    testing::break_calls(fault);
    EXPECT_FALSE(Ledger::open(settings()).has_value()) << fault;
  }
  testing::break_calls("");
  open();
  EXPECT_TRUE(is_whole(1));
}

TEST_F(LedgerFaults, SayThatTheDiskIsFull) {
  ledger_.reset();
  FaultVfs::fail(FaultAt::Write, 0, SQLITE_FULL);
  const auto folder = folder_.path() / "another";
  const auto opened = Ledger::open({.directory = folder, .vfs = vfs_});
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code(), ErrorCode::LedgerDiskFull);
  FaultVfs::heal();
  EXPECT_TRUE(Ledger::open({.directory = folder, .vfs = vfs_}).has_value());
}

TEST_F(LedgerFaults, OfAFullDiskLoseNothingThatWasAcknowledged) {
  issue(1);
  const Request request(2);
  ASSERT_TRUE(ledger_->begin().has_value());
  ASSERT_TRUE(ledger_->record_intent(request.intent).has_value());
  FaultVfs::fail(FaultAt::Write, 1, SQLITE_FULL);
  const auto committed = ledger_->commit();
  ASSERT_FALSE(committed.has_value());
  EXPECT_EQ(committed.error().code(), ErrorCode::LedgerCommitUnknown);
  EXPECT_NE(committed.error().detail().find("LedgerDiskFull"), std::string::npos);
  FaultVfs::heal();
  open();
  EXPECT_TRUE(ledger_->find_certificate("default", "device-1")->has_value());
  EXPECT_TRUE(is_whole(2));
}

}  // namespace
}  // namespace linesign
