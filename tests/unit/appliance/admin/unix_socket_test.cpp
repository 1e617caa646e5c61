#include "appliance/admin/server/unix_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "protocol/base/unique_fd.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

class UnixSocket : public testing::Test {
 protected:
  UniqueFd bound() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = path_.string();
    std::copy(name.begin(), name.end(), address.sun_path);
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  TempDir folder_;
  const std::filesystem::path path_ = folder_.path() / "s";
};

TEST_F(UnixSocket, AcceptsThatThereIsNone) { EXPECT_TRUE(remove_stale_socket(path_).has_value()); }

TEST_F(UnixSocket, RemovesOneThatNobodyListensOn) {
  { const UniqueFd fd = bound(); }
  ASSERT_TRUE(std::filesystem::exists(path_));
  EXPECT_TRUE(remove_stale_socket(path_).has_value());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(UnixSocket, LeavesALiveOneAlone) {
  const UniqueFd fd = bound();
  ASSERT_EQ(::listen(fd.get(), 1), 0);
  const auto removed = remove_stale_socket(path_);
  ASSERT_FALSE(removed.has_value());
  EXPECT_EQ(removed.error().code(), ErrorCode::AdminSocketInUse);
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(UnixSocket, RemovesOneThatIsLetGoMeanwhile) {
  UniqueFd fd = bound();
  ASSERT_EQ(::listen(fd.get(), 1), 0);
  const std::jthread holder([&fd] {
    pollfd asked{.fd = fd.get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&asked, 1, 20'000), 1) << "nobody asked";
    fd.reset();
  });
  EXPECT_TRUE(remove_stale_socket(path_).has_value());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

// A child inherited the listening socket and lives on; whoever listened is gone.
TEST_F(UnixSocket, RemovesOneThatOnlyAnOrphanOfItsOwnerHolds) {
  UniqueFd listening = bound();
  int fds[2] = {-1, -1};
  ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  const UniqueFd waits(fds[0]);
  UniqueFd ends(fds[1]);
  const pid_t owner = ::fork();
  if (owner == 0) {
    ::listen(listening.get(), 1);
    if (::fork() != 0) ::_exit(0);
    ends.reset();
    char c = 0;
    static_cast<void>(::read(waits.get(), &c, 1));  // until the test closes its end
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(owner, nullptr, 0), owner);
  listening.reset();
  EXPECT_TRUE(remove_stale_socket(path_).has_value());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(UnixSocket, LeavesAFileThatIsNoSocketAlone) {
  std::ofstream(path_) << "precious";
  const auto removed = remove_stale_socket(path_);
  ASSERT_FALSE(removed.has_value());
  EXPECT_EQ(removed.error().code(), ErrorCode::Io);
  EXPECT_EQ(removed.error().detail(), path_.string() + ": exists and is not a socket");
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(UnixSocket, SetsTheModeAndRemovesItsFileAtTheEnd) {
  const UniqueFd fd = bound();
  {
    const auto file = SocketFile::take(path_, 0660);
    ASSERT_TRUE(file.has_value());
    struct stat info {};
    ASSERT_EQ(::stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0660U);
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(UnixSocket, LeavesTheFileOfASuccessorAlone) {
  const UniqueFd first = bound();
  auto file = SocketFile::take(path_, 0660);
  ASSERT_TRUE(file.has_value());
  std::filesystem::rename(path_, folder_.path() / "old");  // keeps its inode in use
  const UniqueFd second = bound();
  { const SocketFile gone = std::move(*file); }
  EXPECT_TRUE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace linesign
