// Enrolment and the credential folder.
#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include <gtest/gtest.h>

#include "protocol/base/file.h"
#include "stations/client/credential_folder.h"
#include "stations/client/key_maker.h"
#include "stations/client/station_client.h"
#include "tests/support/fake_appliance.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

using test::FakeAppliance;

mode_t mode_of(const std::filesystem::path& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777U;
}

Bytes content_of(const std::filesystem::path& path) { return read_file(path, 65536).value(); }

std::vector<std::string> visible_files(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    if (entry.path().filename().string().front() != '.')
      names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

TEST(Enrollment, MakesACredentialThatConnects) {
  FakeAppliance appliance;
  const TempDir temp;
  const std::filesystem::path directory = temp.path() / "station";
  const auto enrolled = enroll_station(appliance.token(), directory);
  ASSERT_TRUE(enrolled.has_value()) << enrolled.error().to_string();
  EXPECT_EQ(enrolled->station, "station-1");
  EXPECT_EQ(enrolled->address, appliance.address());
  EXPECT_LT(enrolled->not_before, enrolled->not_after);
  EXPECT_EQ(visible_files(directory),
            (std::vector<std::string>{
                "appliance-ca.pem", "appliance.toml", "station.key", "station.pem"}));
  EXPECT_EQ(mode_of(directory / "station.key"), 0400U);
  EXPECT_EQ(mode_of(directory), 0700U);
  const auto loaded = StationCredential::load(directory);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().to_string();
  EXPECT_TRUE(StationClient::connect(*loaded).has_value());
}

TEST(Enrollment, GoesOnWithTheSameKeyAfterAnInterruption) {
  FakeAppliance appliance;
  const TempDir temp;
  const std::string token = appliance.token();
  ASSERT_TRUE(enroll_station(token, temp.path()).has_value());
  const Bytes key = content_of(temp.path() / "station.key");
  // As if the power had failed before the certificate was stored.
  std::filesystem::remove(temp.path() / "station.pem");
  const auto again = enroll_station(token, temp.path());
  ASSERT_TRUE(again.has_value()) << again.error().to_string();
  EXPECT_EQ(content_of(temp.path() / "station.key"), key);
}

TEST(Enrollment, KeepsTheKeyWhenTheApplianceCannotBeReached) {
  FakeAppliance appliance;
  const TempDir temp;
  appliance.stop();
  const auto failed = enroll_station(appliance.token(), temp.path());
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code(), ErrorCode::ConnectFailed);
  const Bytes key = content_of(temp.path() / "station.key");
  appliance.restart();
  EXPECT_TRUE(enroll_station(appliance.token(), temp.path()).has_value());
  EXPECT_EQ(content_of(temp.path() / "station.key"), key);
}

TEST(Enrollment, DoesNotOverwriteWithoutBeingTold) {
  FakeAppliance appliance;
  const TempDir temp;
  ASSERT_TRUE(enroll_station(appliance.token(), temp.path()).has_value());
  const Bytes key = content_of(temp.path() / "station.key");
  const auto again = enroll_station(appliance.token(), temp.path());
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code(), ErrorCode::FileExists);
  EXPECT_EQ(content_of(temp.path() / "station.key"), key);
}

TEST(Enrollment, ReplacesTheKeyOnlyAfterTheNewOneIsCertified) {
  FakeAppliance first;
  const TempDir temp;
  ASSERT_TRUE(enroll_station(first.token(), temp.path()).has_value());
  const Bytes key = content_of(temp.path() / "station.key");
  EnrollOptions options;
  options.overwrite = true;
  FakeAppliance second;
  second.stop();
  ASSERT_FALSE(enroll_station(second.token(), temp.path(), options).has_value());
  EXPECT_EQ(content_of(temp.path() / "station.key"), key);
  EXPECT_TRUE(StationCredential::load(temp.path()).has_value()) << "the old one still works";
  second.restart();
  const auto replaced = enroll_station(second.token(), temp.path(), options);
  ASSERT_TRUE(replaced.has_value()) << replaced.error().to_string();
  EXPECT_NE(content_of(temp.path() / "station.key"), key);
  EXPECT_EQ(mode_of(temp.path() / "station.key"), 0400U);
  EXPECT_FALSE(std::filesystem::exists(temp.path() / "station.key.next"));
  EXPECT_EQ(replaced->address, second.address());
}

TEST(Enrollment, DoesNotTalkToAnApplianceThatTheTokenDoesNotName) {
  FakeAppliance appliance;
  const TempDir temp;
  const auto failed = enroll_station(appliance.token(Sha256{}), temp.path());
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code(), ErrorCode::PeerNotTrusted);
  EXPECT_FALSE(std::filesystem::exists(temp.path() / "station.pem"));
}

TEST(Enrollment, IsRefusedForAUsedToken) {
  FakeAppliance appliance;
  const TempDir first;
  const TempDir second;
  const std::string token = appliance.token();
  ASSERT_TRUE(enroll_station(token, first.path()).has_value());
  const auto failed = enroll_station(token, second.path());
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code(), ErrorCode::TokenUsed);
  EXPECT_EQ(failed.error().exit_code(), 77);
}

class DamagedToken : public testing::TestWithParam<std::string> {};

TEST_P(DamagedToken, IsRefusedBeforeAnythingIsWritten) {
  const TempDir temp;
  const auto failed = enroll_station(GetParam(), temp.path() / "station");
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code(), ErrorCode::TokenInvalid);
  EXPECT_FALSE(std::filesystem::exists(temp.path() / "station"));
}

INSTANTIATE_TEST_SUITE_P(
    Tokens,
    DamagedToken,
    testing::Values("", "LSJ1.", "LSJ1.AQ", "LSJ2.AAAA", "LSJ1.not base64", std::string(600, 'A')));

TEST(Credential, IsNotThereInAnEmptyFolder) {
  const TempDir temp;
  const auto loaded = StationCredential::load(temp.path());
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code(), ErrorCode::NotEnrolled);
  EXPECT_EQ(loaded.error().exit_code(), 77);
}

TEST(Credential, IsNotUsedWhenItsPartsDoNotBelongTogether) {
  FakeAppliance appliance;
  const TempDir temp;
  ASSERT_TRUE(enroll_station(appliance.token(), temp.path()).has_value());
  auto maker = client::KeyMaker::open(client::KeyKind::EcP256);
  const auto other = maker->make("other");
  ASSERT_TRUE(write_file_atomic(temp.path() / "station.key",
                                other->private_key_pem.reveal(),
                                0400,
                                Overwrite::Replace,
                                Durability::Renamed)
                  .has_value());
  const auto loaded = StationCredential::load(temp.path());
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code(), ErrorCode::NotEnrolled);
}

TEST(Credential, MissingPartsAreNamed) {
  FakeAppliance appliance;
  for (const std::string name :
       {"station.key", "station.pem", "appliance-ca.pem", "appliance.toml"}) {
    const TempDir temp;
    FakeAppliance fresh;
    ASSERT_TRUE(enroll_station(fresh.token(), temp.path()).has_value());
    std::filesystem::remove(temp.path() / name);
    const auto loaded = StationCredential::load(temp.path());
    ASSERT_FALSE(loaded.has_value()) << name;
    EXPECT_EQ(loaded.error().code(), ErrorCode::NotEnrolled);
    EXPECT_NE(loaded.error().detail().find(name), std::string::npos);
  }
}

TEST(Credential, PartsThatCannotBeLookedAtAreNotCalledMissing) {
  const TempDir temp;
  std::filesystem::create_symlink("station.key", temp.path() / "station.key");
  const auto loaded = StationCredential::load(temp.path());
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code(), ErrorCode::Io);
  EXPECT_NE(loaded.error().detail().find("station.key: "), std::string::npos);
}

TEST(Credential, AddressMayBeChangedByHand) {
  FakeAppliance appliance;
  const TempDir temp;
  ASSERT_TRUE(enroll_station(appliance.token(), temp.path()).has_value());
  std::ofstream(temp.path() / "appliance.toml") << "address = \"[fd00::1]:7443\"\n";
  EXPECT_EQ(StationCredential::load(temp.path())->address, "[fd00::1]:7443");
}

TEST(CredentialFolder, IsLockedByOneRunAtATime) {
  const TempDir temp;
  const auto first = client::lock_folder(temp.path());
  ASSERT_TRUE(first.has_value());
  const auto second = client::lock_folder(temp.path());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), ErrorCode::FolderInUse);
}

}  // namespace
}  // namespace linesign
