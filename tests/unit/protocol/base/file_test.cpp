#include "protocol/base/file.h"

#include <sys/stat.h>

#include <filesystem>

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
