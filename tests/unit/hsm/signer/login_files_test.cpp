#include "hsm/signer/login_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

constexpr uid_t kDaemon = 64101;
constexpr uid_t kSigner = 64102;

class LoginFiles : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  }

  std::filesystem::path lock() const { return folder_.path() / "login.lock"; }
  std::filesystem::path memory() const { return folder_.path() / "memory"; }

  void give() const { give_login_files(lock(), memory(), {kSigner, kSigner, "signer"}); }

  static void make(const std::filesystem::path& file, uid_t owner) {
    std::ofstream(file) << "x";
    EXPECT_EQ(::chown(file.c_str(), owner, owner), 0);
  }
  static uid_t owner_of(const std::filesystem::path& path) {
    struct stat status {};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
    return status.st_uid;
  }

  TempDir folder_;
};

TEST_F(LoginFiles, AreMadeForTheUserOfTheSigners) {
  give();
  EXPECT_EQ(owner_of(lock()), kSigner);
  EXPECT_EQ(owner_of(memory()), kSigner);
  struct stat status {};
  ASSERT_EQ(::stat(memory().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
}

TEST_F(LoginFiles, BecomeTheirsWhoeverHasMadeThem) {
  make(lock(), kDaemon);
  std::filesystem::create_directory(memory());
  make(memory() / "pin-01", 0);
  make(memory() / "pin-02", kDaemon);
  give();
  for (const auto& path : {lock(), memory(), memory() / "pin-01", memory() / "pin-02"})
    EXPECT_EQ(owner_of(path), kSigner) << path;
}

TEST_F(LoginFiles, AreNotWhatALinkPointsAtNorAFileWithAnotherName) {
  make(folder_.path() / "treasure", 0);
  std::filesystem::create_directory(folder_.path() / "elsewhere");
  std::filesystem::create_symlink("treasure", lock());
  std::filesystem::create_symlink("elsewhere", memory());
  give();
  EXPECT_EQ(owner_of(folder_.path() / "treasure"), 0U);
  EXPECT_EQ(owner_of(folder_.path() / "elsewhere"), 0U);
  std::filesystem::remove(lock());
  std::filesystem::create_hard_link(folder_.path() / "treasure", lock());
  give();
  EXPECT_EQ(owner_of(folder_.path() / "treasure"), 0U);
}

}  // namespace
}  // namespace linesign
