#include "appliance/signers/lock_watch.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "protocol/base/process.h"
#include "protocol/base/spawn.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPatience(20'000);

class LockWatchTest : public testing::Test {
 protected:
  std::filesystem::path lock() const { return folder_.path() / "login.lock"; }

  LockWatch watch(milliseconds grace = milliseconds(0)) const {
    return LockWatch(clock_, lock(), LINESIGN_FAKE_SIGNER, nullptr, grace);
  }

  // A signer that holds the lock and hangs; its parent is whoever calls.
  int start_holder() const {
    const std::string config = (folder_.path() / "orders").string();
    std::ofstream(config) << "lock " << lock().string() << " silent";
    std::array<std::string, 5> words = {LINESIGN_FAKE_SIGNER, "--config", config, "--fd", "3"};
    std::array<char*, 6> arguments{};
    for (size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
    pid_t pid = 0;
    ::posix_spawn(&pid, LINESIGN_FAKE_SIGNER, nullptr, nullptr, arguments.data(), environ);
    return pid;
  }

  // One that a parent started which is gone. This process takes it over, so that it can be reaped.
  int start_orphan() const {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    int fds[2] = {-1, -1};
    if (::pipe2(fds, O_CLOEXEC) != 0) return 0;
    const UniqueFd reads(fds[0]);
    const UniqueFd writes(fds[1]);
    const pid_t parent = ::fork();
    if (parent == 0) {
      const int pid = start_holder();
      ::_exit(::write(writes.get(), &pid, sizeof pid) == sizeof pid ? 0 : 1);
    }
    reap(parent);
    int pid = 0;
    return ::read(reads.get(), &pid, sizeof pid) == sizeof pid ? pid : 0;
  }

  void wait_until_held() const {
    for (int i = 0; i < 2000 && !find_lock_holder(lock()); ++i) ::poll(nullptr, 0, 10);
  }

  static void end(int pid) {
    ::kill(pid, SIGKILL);
    reap(pid);
  }

  TempDir folder_;
  SystemClock clock_;
};

TEST_F(LockWatchTest, HasNothingToTellOfAFreeLock) { EXPECT_FALSE(watch().look({})); }

TEST_F(LockWatchTest, HasNothingToTellOfOneOfOurs) {
  const int holder = start_holder();
  wait_until_held();
  const std::array<int, 2> ours = {1, holder};
  EXPECT_FALSE(watch().look(ours));
  EXPECT_TRUE(is_running(holder));
  end(holder);
}

TEST_F(LockWatchTest, NamesAStrangerAndLeavesItAlone) {
  const UniqueFd file(::open(lock().c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::flock(file.get(), LOCK_EX), 0);
  const auto error = watch().look({});
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::HsmUnavailable);
  EXPECT_NE(
      error->detail().find(lock().string() + " is held by process " + std::to_string(::getpid())),
      std::string::npos)
      << error->detail();
}

TEST_F(LockWatchTest, EndsASignerThatIsLeftBehind) {
  const int orphan = start_orphan();
  ASSERT_GT(orphan, 0);
  wait_until_held();
  const auto error = watch().look({});
  ASSERT_TRUE(error);
  EXPECT_NE(error->detail().find("it was ended"), std::string::npos) << error->detail();
  EXPECT_TRUE(wait_for_exit(orphan, kPatience));
  end(orphan);
  EXPECT_FALSE(watch().look({}));
}

TEST_F(LockWatchTest, GivesALoginThatIsLeftBehindItsTime) {
  const int orphan = start_orphan();
  ASSERT_GT(orphan, 0);
  wait_until_held();
  LockWatch patient = watch(std::chrono::hours(1));
  EXPECT_TRUE(patient.look({}));
  EXPECT_TRUE(patient.look({}));
  EXPECT_TRUE(is_running(orphan));
  end(orphan);
}

}  // namespace
}  // namespace linesign
