#include "protocol/base/file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

const Bytes kContent = {'a', 'b', 'c', '\n'};

mode_t mode_of(const std::filesystem::path& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0);
  return info.st_mode & 07777U;
}

size_t files_in(const std::filesystem::path& folder) {
  const std::filesystem::directory_iterator files(folder);
  return static_cast<size_t>(std::distance(begin(files), end(files)));
}

TEST(File, WritesWithTheModeAndReadsBack) {
  const TempDir folder;
  const auto path = folder.path() / "file";
  ASSERT_TRUE(write_file_atomic(path, kContent, 0640, Overwrite::Refuse, Durability::Synced));
  EXPECT_EQ(read_file(path, 100).value(), kContent);
  EXPECT_EQ(mode_of(path), 0640U);
  EXPECT_EQ(files_in(folder.path()), 1U);  // no temporary file is left
}

TEST(File, RefusesToOverwriteUnlessTold) {
  const TempDir folder;
  const auto path = folder.path() / "file";
  ASSERT_TRUE(write_file_atomic(path, kContent, 0600, Overwrite::Refuse, Durability::Renamed));
  const Bytes other = {'x'};
  const auto refused = write_file_atomic(path, other, 0600, Overwrite::Refuse, Durability::Renamed);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::FileExists);
  EXPECT_EQ(read_file(path, 100).value(), kContent);
  ASSERT_TRUE(write_file_atomic(path, other, 0600, Overwrite::Replace, Durability::Renamed));
  EXPECT_EQ(read_file(path, 100).value(), other);
  EXPECT_EQ(files_in(folder.path()), 1U);
}

TEST(File, ReadsUpToTheLimitAndNotBeyond) {
  const TempDir folder;
  const auto path = folder.path() / "file";
  const Bytes large(70000, 'x');
  ASSERT_TRUE(write_file_atomic(path, large, 0600, Overwrite::Refuse, Durability::Renamed));
  EXPECT_EQ(read_file(path, large.size()).value(), large);
  const auto over = read_file(path, large.size() - 1);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code(), ErrorCode::InputInvalid);
}

TEST(File, MissingFileIsAnErrorThatNamesIt) {
  const auto missing = read_file("/nonexistent/file", 10);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::Io);
  EXPECT_NE(missing.error().detail().find("/nonexistent/file"), std::string::npos);
  const auto unwritable =
      write_file_atomic("/nonexistent/file", kContent, 0600, Overwrite::Refuse, Durability::Synced);
  ASSERT_FALSE(unwritable);
  EXPECT_EQ(unwritable.error().code(), ErrorCode::Io);
}

TEST(File, SecretLosesOneNewlineOnly) {
  const TempDir folder;
  const auto path = folder.path() / "pin";
  const Bytes two_lines = {'1', '2', '\n', '\n'};
  ASSERT_TRUE(write_file_atomic(path, two_lines, 0600, Overwrite::Refuse, Durability::Renamed));
  const auto secret = read_secret_file(path, 100);
  ASSERT_TRUE(secret);
  EXPECT_EQ(as_text(secret->reveal()), "12\n");
}

// --- Removable media: tests/support/fat_medium.cpp ----------------------------------------------

class FileOnFat : public testing::Test {
 protected:
  void SetUp() override { ::setenv("LINESIGN_FAT", folder_.path().c_str(), 1); }
  void TearDown() override { ::unsetenv("LINESIGN_FAT"); }
  Result<void> write(const std::string& name, Overwrite overwrite = Overwrite::Refuse) {
    return write_file_atomic(folder_.path() / name, kContent, 0400, overwrite, Durability::Synced);
  }
  TempDir folder_;
};

TEST_F(FileOnFat, HasNoHardLinksAndIsWrittenAllTheSame) {
  ASSERT_NE(::link("/dev/null", (folder_.path() / "link").c_str()), 0);
  const auto written = write("file");
  ASSERT_TRUE(written) << written.error().to_string();
  EXPECT_EQ(read_file(folder_.path() / "file", 100).value(), kContent);
  EXPECT_TRUE(write("file", Overwrite::Replace));
  EXPECT_EQ(files_in(folder_.path()), 1U);
}

TEST_F(FileOnFat, IsNotReplacedUnlessTold) {
  std::ofstream(folder_.path() / "file") << "mine";
  for (const char* name : {"file", "FILE"}) {
    const auto refused = write(name);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code(), ErrorCode::FileExists);
  }
  EXPECT_EQ(read_text(folder_.path() / "file"), "mine");
  EXPECT_EQ(files_in(folder_.path()), 1U);
}

TEST_F(FileOnFat, AFailedMoveLeavesNoEmptyFile) {
  ::setenv("LINESIGN_FAT_BAD_NAME", "file", 1);
  const auto failed = write("file");
  ::unsetenv("LINESIGN_FAT_BAD_NAME");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::Io);
  EXPECT_EQ(files_in(folder_.path()), 0U);
}

TEST_F(FileOnFat, SaysWhichCharacterTheMediumRefuses) {
  const auto folder = make_directories(folder_.path() / "lot:7", 0700);
  ASSERT_FALSE(folder);
  EXPECT_NE(folder.error().detail().find("lot:7: this file system does not allow ':'"),
            std::string::npos)
      << folder.error().detail();
  const auto refused = write("unit:1.pem");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::Io);
  EXPECT_NE(refused.error().detail().find("unit:1.pem: this file system does not allow ':'"),
            std::string::npos)
      << refused.error().detail();
}

TEST(File, MakesFoldersWithParentsAndAcceptsExistingOnes) {
  const TempDir folder;
  const auto path = folder.path() / "a" / "b";
  ASSERT_TRUE(make_directories(path, 0700));
  ASSERT_TRUE(make_directories(path, 0700));
  EXPECT_EQ(mode_of(path), 0700U);
  ASSERT_TRUE(write_file_atomic(
      folder.path() / "file", kContent, 0600, Overwrite::Refuse, Durability::Renamed));
  EXPECT_FALSE(make_directories(folder.path() / "file", 0700));
}

}  // namespace
}  // namespace linesign
