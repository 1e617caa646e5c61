#include "protocol/base/process.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

#include <gtest/gtest.h>

#include "tests/support/foreign_peer.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPatience(20'000);

// A child that waits for its end.
class Sleeper final {
 public:
  Sleeper() : pid_(::fork()) {
    if (pid_ == 0) {
      for (;;) ::pause();
    }
  }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  ~Sleeper() {
    ::kill(pid_, SIGKILL);
    reap(pid_);
  }
  int pid() const { return pid_; }

 private:
  pid_t pid_;
};

TEST(Process, TellsWhoAProcessIs) {
  const Sleeper child;
  const auto self = read_process(::getpid());
  const auto info = read_process(child.pid());
  ASSERT_TRUE(self && info);
  EXPECT_EQ(info->parent, ::getpid());
  EXPECT_EQ(info->user, ::geteuid());
  EXPECT_EQ(info->name, self->name);
  EXPECT_EQ(info->program, self->program);
  EXPECT_NE(info->program.find("protocol_base_test"), std::string::npos);
}

TEST(Process, KnowsOneThatHasEndedAlthoughNobodyReapedIt) {
  const Sleeper child;
  EXPECT_TRUE(is_running(child.pid()));
  EXPECT_FALSE(wait_for_exit(child.pid(), milliseconds(0)));
  kill_process(open_process(child.pid()));
  EXPECT_TRUE(wait_for_exit(child.pid(), kPatience));
  EXPECT_FALSE(is_running(child.pid()));
}

TEST(Process, FindsNoneWhereThereIsNone) {
  int gone = 0;
  {
    const Sleeper child;
    gone = child.pid();
  }
  EXPECT_FALSE(read_process(gone));
  EXPECT_FALSE(is_running(gone));
}

TEST(Process, NamesWhoMadeASocketPair) {
  int fds[2] = {-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  const UniqueFd ours(fds[0]);
  const UniqueFd theirs(fds[1]);
  EXPECT_EQ(peer_process(ours.get()), ::getpid());
  EXPECT_EQ(peer_user(ours.get()), ::geteuid());
  const test::ForeignPeers in_a_container;
  EXPECT_FALSE(peer_process(ours.get()));
  EXPECT_EQ(peer_user(ours.get()), ::geteuid());
}

TEST(Process, NamesNobodyWhereThereIsNoPeer) {
  const UniqueFd lonely(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  for (const int socket : {-1, lonely.get()}) {
    EXPECT_FALSE(peer_process(socket));
    EXPECT_FALSE(peer_user(socket));
  }
}

TEST(Process, FindsTheHolderOfALock) {
  const TempDir folder;
  const auto path = folder.path() / "lock";
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_TRUE(file);
  EXPECT_FALSE(find_lock_holder(path));
  ASSERT_EQ(::flock(file.get(), LOCK_EX), 0);
  EXPECT_EQ(find_lock_holder(path), ::getpid());
  ASSERT_EQ(::flock(file.get(), LOCK_UN), 0);
  EXPECT_FALSE(find_lock_holder(path));
  EXPECT_FALSE(find_lock_holder(folder.path() / "missing"));
}

}  // namespace
}  // namespace linesign
