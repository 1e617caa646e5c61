#include "hsm/ceremony/login_place.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

constexpr uid_t kUploader = 65534;

bool is_free(const std::filesystem::path& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return file && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0;
}

class LoginPlaceTest : public ::testing::Test {
 protected:
  LoginPlaceTest() {
    signer_.token.pin_file = folder_.path() / "pin";
    signer_.login_lock = folder_.path() / "signer.lock";
    signer_.pin_memory = folder_.path() / "signer-memory";
    for (const char* name : {"pin", "own-pin"}) std::ofstream(folder_.path() / name) << "1\n";
  }

  std::filesystem::path own() const { return folder_.path() / "state" / "own-memory"; }
  Result<LoginPlace> take(const std::string& pin_file) const {
    return LoginPlace::take(signer_, folder_.path() / pin_file, own());
  }

  TempDir folder_;
  SignerSettings signer_;
};

TEST_F(LoginPlaceTest, IsThatOfTheSignersForTheirPinFile) {
  std::filesystem::create_symlink("pin", folder_.path() / "other-name");
  for (const char* name : {"pin", "./pin", "other-name"}) {
    const auto place = take(name);
    ASSERT_TRUE(place.has_value()) << place.error().to_string();
    EXPECT_EQ(place->rule().memory, signer_.pin_memory) << name;
    EXPECT_FALSE(is_free(signer_.login_lock));
    EXPECT_FALSE(std::filesystem::exists(own()));
  }
  EXPECT_TRUE(is_free(signer_.login_lock));
}

TEST_F(LoginPlaceTest, IsOnesOwnForAnotherPinFile) {
  const auto place = take("own-pin");
  ASSERT_TRUE(place.has_value()) << place.error().to_string();
  EXPECT_EQ(place->rule().memory, own());
  EXPECT_FALSE(is_free(own() / "login.lock"));
  EXPECT_FALSE(std::filesystem::exists(signer_.login_lock)) << "it would not be the signers'";
}

TEST_F(LoginPlaceTest, WaitsForTheSignersTooWhereItMayReadTheirLock) {
  std::ofstream(signer_.login_lock) << "";
  const auto place = take("own-pin");
  ASSERT_TRUE(place.has_value());
  EXPECT_FALSE(is_free(signer_.login_lock));
}

TEST_F(LoginPlaceTest, NeedsNoRightToWhatIsTheSigners) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  std::ofstream(signer_.login_lock) << "";
  ASSERT_EQ(::chmod(signer_.login_lock.c_str(), 0640), 0);
  std::filesystem::create_directory(signer_.pin_memory);
  ASSERT_EQ(::chmod(signer_.pin_memory.c_str(), 0700), 0);
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
  std::filesystem::create_directory(folder_.path() / "state");
  ASSERT_EQ(::chown((folder_.path() / "state").c_str(), kUploader, kUploader), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setresgid(kUploader, kUploader, kUploader) != 0 ||
        ::setresuid(kUploader, kUploader, kUploader) != 0)
      ::_exit(2);
    const auto place = take("own-pin");
    ::_exit(place && place->rule().memory == own() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
}  // namespace linesign
