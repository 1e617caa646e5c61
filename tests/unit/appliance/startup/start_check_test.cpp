#include "appliance/startup/start_check.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include <gmock/gmock.h>
#include <sqlite3.h>

#include "appliance/enrollment/station_ca.h"
#include "tests/support/fake_clock.h"
#include "tests/support/software_ca.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

using std::chrono::days;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class StartCheckTest : public ::testing::Test {
 protected:
  StartCheckTest() {
    config_.signer.ca_certificate = folder() / "ca.pem";
    config_.signer.token.module = "libsofthsm2.so";
    config_.signer.token.pin_file = folder() / "pin";
    config_.stations.credential_dir = folder() / "station-ca";
    config_.ledger.directory = folder() / "ledger";
    config_.issuance.min_free_bytes = 0;
    write("ca.pem", test::SoftwareCa().pem());
    write("pin", "1234\n", 0400);
  }

  const std::filesystem::path& folder() const { return dir_.path(); }

  void write(const std::string& name, std::string_view text, mode_t mode = 0600) {
    const auto path = folder() / name;
    std::filesystem::remove(path);
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    ::chmod(path.c_str(), mode);
  }

  void write_ca(const test::CaSpec& spec) { write("ca.pem", test::SoftwareCa(spec).pem()); }

  std::vector<StartFinding> findings() const { return check_start(config_, clock_.now()); }

  std::vector<ErrorCode> codes(StartGravity gravity) const {
    std::vector<ErrorCode> codes;
    for (const StartFinding& each : findings())
      if (each.gravity == gravity) codes.push_back(each.error.code());
    return codes;
  }

  std::string text() const {
    std::string text;
    for (const StartFinding& each : findings()) text += each.error.to_string() + "\n";
    return text;
  }

  TempDir dir_;
  FakeClock clock_{test::kTestTime};
  Config config_;
};

TEST_F(StartCheckTest, FindsNothingInAGoodConfigurationAndMakesNothing) {
  EXPECT_EQ(text(), "");
  EXPECT_FALSE(std::filesystem::exists(config_.ledger.directory));
  EXPECT_FALSE(std::filesystem::exists(config_.stations.credential_dir));
}

TEST_F(StartCheckTest, FindsACaFileThatIsNone) {
  for (const std::string_view content : {"", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n"}) {
    write("ca.pem", content);
    EXPECT_EQ(codes(StartGravity::Fatal).size(), 1U) << content;
    EXPECT_THAT(text(), HasSubstr("[ca] certificate"));
    EXPECT_THAT(text(), HasSubstr("ca.pem"));
  }
  std::filesystem::remove(folder() / "ca.pem");
  EXPECT_EQ(codes(StartGravity::Fatal).size(), 1U);
}

TEST_F(StartCheckTest, FindsACertificateThatIsNoCas) {
  write_ca({.extensions = {{"basicConstraints", "critical,CA:FALSE"}}});
  EXPECT_THAT(codes(StartGravity::Fatal), ElementsAre(ErrorCode::CaCertificateInvalid));
}

TEST_F(StartCheckTest, FindsACaThatEndedOrHasNotBegun) {
  write_ca({.not_after = clock_.now()});
  EXPECT_THAT(codes(StartGravity::Obstacle), ElementsAre(ErrorCode::CaExpired));
  write_ca({.not_before = clock_.now() + days(1)});
  EXPECT_THAT(codes(StartGravity::Obstacle), ElementsAre(ErrorCode::CaExpired));
}

TEST_F(StartCheckTest, WarnsOfACaThatEndsSoonAndCutsTheDevices) {
  write_ca({.not_after = clock_.now() + days(3)});
  EXPECT_THAT(codes(StartGravity::Warning),
              ElementsAre(ErrorCode::CaExpired, ErrorCode::CaExpired));
  EXPECT_THAT(text(), HasSubstr("3 days left"));
  EXPECT_THAT(text(), HasSubstr("device certificates end with the CA"));
  EXPECT_THAT(codes(StartGravity::Obstacle), IsEmpty());
}

TEST_F(StartCheckTest, FindsWhatIsWrongWithThePinFile) {
  const auto expect_found = [this](std::string_view what) {
    EXPECT_THAT(codes(StartGravity::Obstacle), ElementsAre(ErrorCode::HsmPinFile)) << what;
    EXPECT_THAT(text(), HasSubstr("[hsm] pin_file")) << what;
  };
  write("pin", "1234", 0644);
  expect_found("world-readable");
  write("pin", "", 0600);
  expect_found("empty");
  std::filesystem::remove(folder() / "pin");
  expect_found("missing");
  write("real-pin", "1234", 0600);
  std::filesystem::create_symlink(folder() / "real-pin", folder() / "pin");
  expect_found("a link");
}

TEST_F(StartCheckTest, SaysNothingAboutAFolderThatOnlySignersOfAnotherUserMayEnter) {
  constexpr uid_t kNobody = 65534;
  std::filesystem::create_directory(folder() / "signers");
  config_.signer.token.pin_file = folder() / "signers" / "pin";
  config_.signer.token.module = folder() / "signers" / "vendor.so";
  ::chmod(folder().c_str(), 0755);
  ::chmod((folder() / "signers").c_str(), 0);
  const uid_t before = ::geteuid();
  ASSERT_EQ(::seteuid(before == 0 ? kNobody : before), 0);  // root may enter all
  const auto alone = codes(StartGravity::Obstacle);
  config_.signer.user = "linesign-signer";
  const auto with_signers = codes(StartGravity::Obstacle);
  ASSERT_EQ(::seteuid(before), 0);
  ::chmod((folder() / "signers").c_str(), 0700);
  EXPECT_THAT(alone, ElementsAre(ErrorCode::HsmModuleLoad, ErrorCode::HsmPinFile));
  EXPECT_THAT(with_signers, IsEmpty());
  EXPECT_THAT(codes(StartGravity::Obstacle),
              ElementsAre(ErrorCode::HsmModuleLoad, ErrorCode::HsmPinFile))
      << "what can be looked into is still looked at";
}

TEST_F(StartCheckTest, FindsAModuleThatIsNotThere) {
  config_.signer.token.module = folder() / "vendor.so";
  EXPECT_THAT(codes(StartGravity::Obstacle), ElementsAre(ErrorCode::HsmModuleLoad));
}

TEST_F(StartCheckTest, FindsAStationCaThatIsHalfThereOrEnded) {
  ASSERT_TRUE(StationCa::open(config_.stations.credential_dir, clock_));
  EXPECT_EQ(text(), "");
  clock_.advance(days(365 * 20 - 10));
  EXPECT_THAT(text(), HasSubstr("the station CA is valid until"));
  clock_.advance(days(10));
  EXPECT_THAT(text(), HasSubstr("the station CA ended"));
  std::filesystem::remove(config_.stations.credential_dir / "station-ca.key");
  EXPECT_THAT(codes(StartGravity::Fatal), ElementsAre(ErrorCode::Io));
}

TEST_F(StartCheckTest, FindsALedgerFolderThatIsAFileOrFull) {
  write("ledger", "");
  EXPECT_THAT(codes(StartGravity::Fatal), ElementsAre(ErrorCode::LedgerUnavailable));
  std::filesystem::remove(folder() / "ledger");
  std::filesystem::create_directory(folder() / "ledger");
  config_.issuance.min_free_bytes = 1ULL << 60;
  EXPECT_THAT(codes(StartGravity::Obstacle), ElementsAre(ErrorCode::LedgerDiskFull));
}

TEST_F(StartCheckTest, FindsADatabaseOfSomebodyElse) {
  write("ledger/ledger.sqlite", "something else");
  EXPECT_THAT(codes(StartGravity::Fatal), ElementsAre(ErrorCode::LedgerCorrupt));
  for (const int id : {kLedgerApplicationId, 42}) {
    std::filesystem::remove(folder() / "ledger/ledger.sqlite");
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open((folder() / "ledger/ledger.sqlite").c_str(), &database), SQLITE_OK);
    const std::string sql =
        "PRAGMA application_id = " + std::to_string(id) + "; CREATE TABLE t (a);";
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(database);
    EXPECT_EQ(codes(StartGravity::Fatal).size(), id == kLedgerApplicationId ? 0U : 1U);
  }
}

TEST_F(StartCheckTest, TellsEverythingAtOnce) {
  write("ca.pem", "");
  write("pin", "1234", 0644);
  write("ledger", "");
  EXPECT_EQ(findings().size(), 3U) << text();
}

}  // namespace
}  // namespace linesign
