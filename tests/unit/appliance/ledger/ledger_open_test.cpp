#include <sys/stat.h>

#include <fstream>
#include <string>

#include "tests/unit/appliance/ledger/ledger_fixture.h"

namespace linesign {
namespace {

using testing::kNow;
using testing::LedgerTest;
using testing::Request;
using testing::signature_of;

// Of this process, from wherever.
uint64_t bytes_read() {
  std::ifstream file("/proc/self/io");
  std::string word;
  uint64_t bytes = 0;
  file >> word >> bytes;
  EXPECT_EQ(word, "rchar:");
  return bytes;
}

class LedgerOpen : public LedgerTest {
 protected:
  ErrorCode open_error() {
    ledger_.reset();
    const auto opened = Ledger::open(settings());
    EXPECT_FALSE(opened.has_value());
    return opened.has_value() ? ErrorCode::Internal : opened.error().code();
  }
};

TEST_F(LedgerOpen, MakesAPrivateFolderAndFiles) {
  struct stat status {};
  ASSERT_EQ(::stat(settings().directory.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
  for (const auto& entry : std::filesystem::directory_iterator(settings().directory)) {
    ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U) << entry.path();
  }
}

TEST_F(LedgerOpen, WritesTheSchemaOfAnEmptyFolder) {
  EXPECT_EQ(number("PRAGMA user_version"), 4);
  EXPECT_EQ(number("PRAGMA application_id"), 0x4c534c31);
  EXPECT_EQ(number("SELECT count(*) FROM production_order WHERE name = 'default'"
                   " AND state = 1 AND quantity IS NULL"),
            1);
}

TEST_F(LedgerOpen, RefusesASecondOwnerByName) {
  const auto second = Ledger::open(settings());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), ErrorCode::LedgerInUse);
  EXPECT_NE(second.error().detail().find(std::to_string(::getpid())), std::string::npos)
      << second.error().detail();
}

TEST_F(LedgerOpen, KeepsOtherSqliteProgramsOut) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(database, "SELECT count(*) FROM issuance", nullptr, nullptr, nullptr),
            SQLITE_BUSY);
  sqlite3_close(database);
}

TEST_F(LedgerOpen, RefusesAFileThatAnotherProgramHolds) {
  ledger_.reset();
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_EQ(open_error(), ErrorCode::LedgerInUse);
  sqlite3_close(database);
  open();
}

TEST_F(LedgerOpen, RefusesANewerSchema) {
  sql("PRAGMA user_version = 5");
  EXPECT_EQ(open_error(), ErrorCode::LedgerSchemaNewer);
}

TEST_F(LedgerOpen, RefusesTheDatabaseOfAnotherProgram) {
  sql("PRAGMA application_id = 1234");
  EXPECT_EQ(open_error(), ErrorCode::LedgerCorrupt);
}

TEST_F(LedgerOpen, RefusesAForeignDatabaseWithoutMarks) {
  sql("PRAGMA application_id = 0; PRAGMA user_version = 0");
  EXPECT_EQ(open_error(), ErrorCode::LedgerCorrupt);
}

TEST_F(LedgerOpen, RefusesAFileThatIsNoDatabase) {
  ledger_.reset();
  std::ofstream(file(), std::ios::trunc) << std::string(8192, 'x');
  EXPECT_EQ(open_error(), ErrorCode::LedgerCorrupt);
}

TEST_F(LedgerOpen, RefusesATruncatedFile) {
  ledger_.reset();
  std::filesystem::resize_file(file(), 3 * 4096);
  EXPECT_EQ(open_error(), ErrorCode::LedgerCorrupt);
}

TEST_F(LedgerOpen, RefusesAMissingTable) {
  sql("DROP TABLE confirmation");
  EXPECT_EQ(open_error(), ErrorCode::LedgerCorrupt);
}

TEST_F(LedgerOpen, RefusesAMissingTableOfTheCloud) {
  sql("DROP TABLE registration_count");
  EXPECT_EQ(open_error(), ErrorCode::LedgerCorrupt);
}

TEST_F(LedgerOpen, RefusesAnOpenIntentThatHasACertificate) {
  const uint64_t id = issue(1);
  sql("INSERT INTO open_intent VALUES (" + std::to_string(id) + ", x'30')");
  EXPECT_EQ(open_error(), ErrorCode::LedgerCorrupt);
}

TEST_F(LedgerOpen, DoesNotReadALedgerThrough) {
  constexpr uint64_t kCertificates = 20'000;  // about 20 MB
  ASSERT_TRUE(ledger_->begin().has_value());
  for (uint64_t number = 1; number <= kCertificates; ++number) {
    const Request request(number);
    ASSERT_TRUE(ledger_->record_intent(request.intent).has_value());
    ASSERT_TRUE(ledger_->record_certificate(number, signature_of(number), kNow).has_value());
  }
  ASSERT_TRUE(ledger_->commit().has_value());
  ledger_.reset();
  const uint64_t before = bytes_read();
  const auto opened = Ledger::open(settings());
  ASSERT_TRUE(opened.has_value());
  ASSERT_TRUE((*opened)->open_intents().has_value());
  EXPECT_LT(bytes_read() - before, 1024U * 1024);
}

TEST_F(LedgerOpen, SaysThatAFolderCannotBeMade) {
  std::ofstream(folder_.path() / "file") << "x";
  const auto opened = Ledger::open({.directory = folder_.path() / "file" / "ledger"});
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code(), ErrorCode::LedgerUnavailable);
}

TEST_F(LedgerOpen, WorksInAFolderWithOddCharacters) {
  const auto opened = Ledger::open({.directory = folder_.path() / "100% #1? a&b"});
  ASSERT_TRUE(opened.has_value()) << opened.error().to_string();
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "100% #1? a&b" / "ledger.sqlite"));
}

TEST_F(LedgerOpen, TakesOverWhatAKilledOwnerLeftInTheLog) {
  issue(1);
  const auto copy = folder_.path() / "copy";
  // What is on disk while the owner lives is what a kill leaves behind.
  std::filesystem::copy(settings().directory, copy);
  ASSERT_GT(std::filesystem::file_size(copy / "ledger.sqlite-wal"), 0U);
  const auto opened = Ledger::open({.directory = copy});
  ASSERT_TRUE(opened.has_value()) << opened.error().to_string();
  EXPECT_TRUE((*opened)->find_certificate("default", "device-1")->has_value());
  EXPECT_EQ(std::filesystem::file_size(copy / "ledger.sqlite-wal"), 0U);
}

}  // namespace
}  // namespace linesign
