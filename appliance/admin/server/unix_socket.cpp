#include "appliance/admin/server/unix_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "protocol/base/clock.h"
#include "protocol/base/file.h"
#include "protocol/base/process.h"
#include "protocol/base/unique_fd.h"

namespace linesign {
namespace {

tl::unexpected<Error> io_failure(const std::filesystem::path& path, std::string_view what) {
  return fail(ErrorCode::Io, fmt::format("{}: {}", path.string(), what));
}

// How long one that holds the socket has to let go of it, if it is only the child of a process that
// was killed: between fork and exec it still has what its parent had open.
constexpr std::chrono::milliseconds kLettingGo(1000);

struct Attempt {
  UniqueFd fd;           // connected
  int error_number = 0;  // or why not
};

std::optional<sockaddr_un> address_of(const std::filesystem::path& path) {
  const std::string name = path.string();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof address.sun_path) return std::nullopt;
  std::copy(name.begin(), name.end(), address.sun_path);
  return address;
}

Attempt try_connect(const std::filesystem::path& path) {
  const auto address = address_of(path);
  if (!address) return {{}, ENAMETOOLONG};
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return {{}, errno};
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0)
    return {{}, errno};
  return {std::move(fd), 0};
}

std::string why_not_bound(int error_number) {
  switch (error_number) {
    case EACCES:
    case EPERM:
      return "this user may not create files in its folder";
    case ENOENT:
      return "its folder does not exist";
    case EADDRINUSE:
      return "another program has just made it";
    default:
      return errno_text(error_number);
  }
}

// Who called listen(), whoever has the socket now: an orphan may have inherited it.
bool is_owner_gone(const UniqueFd& connected) {
  const std::optional<int> owner = peer_process(connected.get());
  return owner && !is_running(*owner);
}

// A connection that nobody accepted is hung up when the last one closes the listening socket.
bool hangs_up_before(const UniqueFd& connected, SteadyTime deadline) {
  pollfd waiting{.fd = connected.get(), .events = POLLRDHUP, .revents = 0};
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyTime::clock::now());
  return left.count() > 0 && ::poll(&waiting, 1, static_cast<int>(left.count())) == 1;
}

}  // namespace

Result<void> remove_stale_socket(const std::filesystem::path& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return io_failure(path, errno_text(errno));
  }
  if (!S_ISSOCK(info.st_mode)) return io_failure(path, "exists and is not a socket");
  const SteadyTime deadline = SteadyTime::clock::now() + kLettingGo;
  Attempt attempt = try_connect(path);
  while (attempt.fd && !is_owner_gone(attempt.fd) && hangs_up_before(attempt.fd, deadline))
    attempt = try_connect(path);
  const bool is_stale = attempt.fd && is_owner_gone(attempt.fd);
  // A full queue (EAGAIN) has an owner, too.
  if (!is_stale && (attempt.fd || attempt.error_number == EAGAIN))
    return fail(ErrorCode::AdminSocketInUse, path.string());
  if (!is_stale && attempt.error_number != ECONNREFUSED)
    return io_failure(path, errno_text(attempt.error_number));
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return io_failure(path, errno_text(errno));
  return {};
}

Result<UniqueFd> bind_unix_socket(const std::filesystem::path& path) {
  const auto address = address_of(path);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!address) errno = ENAMETOOLONG;
  const bool is_bound =
      address && fd &&
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0;
  if (is_bound) return fd;
  return fail(ErrorCode::ListenFailed,
              fmt::format("cannot listen on {}: {}", path.string(), why_not_bound(errno)));
}

UniqueFd accept_unix_socket(int listening_fd) {
  for (;;) {
    UniqueFd fd(::accept4(listening_fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd || (errno != EINTR && errno != ECONNABORTED)) return fd;
  }
}

Result<SocketFile> SocketFile::take(const std::filesystem::path& path, mode_t mode) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return io_failure(path, errno_text(errno));
  SocketFile file(path, info.st_dev, info.st_ino);
  if (::chmod(path.c_str(), mode) != 0) return io_failure(path, errno_text(errno));
  return file;
}

SocketFile::SocketFile(SocketFile&& other) noexcept
    : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}

SocketFile::~SocketFile() {
  if (path_.empty()) return;
  struct stat info {};
  const bool is_ours = ::lstat(path_.c_str(), &info) == 0 && info.st_dev == device_ &&
                       info.st_ino == inode_ && S_ISSOCK(info.st_mode);
  if (is_ours) ::unlink(path_.c_str());
}

}  // namespace linesign
