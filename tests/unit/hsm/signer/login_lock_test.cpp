#include "hsm/signer/login_lock.h"

#include <fcntl.h>
#include <sys/file.h>

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

TEST(LoginLock, NamesAPathThatCannotBeUsed) {
  const auto lock = LoginLock::take("/nonexistent/login.lock");
  ASSERT_FALSE(lock.has_value());
  EXPECT_EQ(lock.error().code(), ErrorCode::Io);
  EXPECT_NE(lock.error().detail().find("/nonexistent"), std::string::npos);
}

}  // namespace
}  // namespace linesign
