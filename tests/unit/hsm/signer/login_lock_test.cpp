#include "hsm/signer/login_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

bool is_free(const std::filesystem::path& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return file && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0;
}

TEST(LoginLock, IsHeldUntilItGoes) {
  const TempDir directory;
  const auto path = directory.path() / "login.lock";
  {
    const auto lock = LoginLock::take(path);
    ASSERT_TRUE(lock.has_value()) << lock.error().to_string();
    EXPECT_FALSE(is_free(path));
  }
  EXPECT_TRUE(is_free(path));
}

TEST(LoginLock, IsLeftByRootToTheOwnerOfItsFolder) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  constexpr uid_t kSomebody = 65534;
  const TempDir directory;
  const auto path = directory.path() / "login.lock";
  ASSERT_TRUE(LoginLock::take(path).has_value());  // root's: so is the folder
  ASSERT_EQ(::chown(directory.path().c_str(), kSomebody, kSomebody), 0);
  ASSERT_TRUE(LoginLock::take(path).has_value());
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, kSomebody);
}

TEST(LoginLock, LeavesAFileOfRootsThatIsNoLockToRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  constexpr uid_t kSomebody = 65534;
  const TempDir directory;
  const auto path = directory.path() / "login.lock";
  std::ofstream(path) << "a secret of root's that somebody has moved here";
  ASSERT_EQ(::chown(directory.path().c_str(), kSomebody, kSomebody), 0);
  ASSERT_TRUE(LoginLock::take(path).has_value());
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 0U);
}

TEST(LoginLock, IsNotHeldUpByAPipeInItsPlace) {
  const TempDir directory;
  const auto path = directory.path() / "login.lock";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_TRUE(LoginLock::take(path).has_value());
}

TEST(LoginLock, OfOthersIsTakenWhereItCanBeReadAndNeverMade) {
  const TempDir directory;
  const auto path = directory.path() / "login.lock";
  const auto none = LoginLock::take_if_readable(path);
  ASSERT_TRUE(none.has_value());
  EXPECT_FALSE(none->has_value());
  EXPECT_FALSE(std::filesystem::exists(path));
  std::ofstream(path) << "";
  const auto lock = LoginLock::take_if_readable(path);
  ASSERT_TRUE(lock.has_value() && lock->has_value());
  EXPECT_FALSE(is_free(path));
}

TEST(LoginLock, FollowsNoLinkOfAnotherUser) {
  const TempDir directory;
  const auto path = directory.path() / "login.lock";
  std::filesystem::create_symlink(directory.path() / "elsewhere", path);
  EXPECT_FALSE(LoginLock::take(path).has_value());
  EXPECT_FALSE(std::filesystem::exists(directory.path() / "elsewhere"));
}

TEST(LoginLock, NamesAPathThatCannotBeUsed) {
  const auto lock = LoginLock::take("/nonexistent/login.lock");
  ASSERT_FALSE(lock.has_value());
  EXPECT_EQ(lock.error().code(), ErrorCode::Io);
  EXPECT_NE(lock.error().detail().find("/nonexistent"), std::string::npos);
}

}  // namespace
}  // namespace linesign
