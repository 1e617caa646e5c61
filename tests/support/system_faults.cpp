// System calls that fail as a plan says ($LINESIGN_SYSTEM_FAULTS: tests/support/fault_plan.h):
// "fdatasync:3=EIO@ledger"; KILL ends the process before the call, HANG keeps the thread in it
// until the plan says otherwise. Linked into a test, or preloaded into a program (LD_PRELOAD).
//
// The calls are open, fsync, fdatasync, pwrite, ftruncate, rename, accept4, socketpair and pipe2;
// their variants (open64, renameat2) count as them. What libc calls inside itself stays as it is.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <dlfcn.h>

#include "tests/support/fault_plan.h"
#include "tests/support/open_calls.h"

namespace {

using linesign::testing::FaultPlan;

constexpr std::array kErrors = {
    std::pair{"EIO", EIO},
    std::pair{"ENOSPC", ENOSPC},
    std::pair{"EMFILE", EMFILE},
    std::pair{"ENFILE", ENFILE},
    std::pair{"EROFS", EROFS},
    std::pair{"EACCES", EACCES},
};

constexpr int kLookAgainMs = 5;

template <typename Function>
Function* next_of(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

// Never destroyed: programs make calls until their very end.
FaultPlan& plan() {
  static auto* const instance = std::make_unique<FaultPlan>("LINESIGN_SYSTEM_FAULTS").release();
  return *instance;
}

std::string path_of(int fd) {
  std::array<char, 4096> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t size = ::readlink(link.c_str(), path.data(), path.size());
  return {path.data(), static_cast<size_t>(size > 0 ? size : 0)};
}

// True and errno set when the call is to fail; else errno is as it was.
bool fails(std::string_view call, const std::function<std::string()>& subject) {
  const int kept = errno;
  std::string action = plan().next(call, subject);
  while (action == "HANG") {
    ::poll(nullptr, 0, kLookAgainMs);
    action = plan().next(call, subject);
  }
  errno = kept;
  if (action == "KILL") static_cast<void>(::kill(::getpid(), SIGKILL));
  for (const auto& [name, number] : kErrors) {
    if (action != name) continue;
    errno = number;
    return true;
  }
  return false;
}

bool fails_on(std::string_view call, int fd) {
  return fails(call, [fd] { return path_of(fd); });
}

bool fails_at(std::string_view call, const char* path) {
  return fails(call, [path] { return std::string(path); });
}

bool fails_alone(std::string_view call) {
  return fails(call, [] { return std::string(); });
}

int open_instead(const char* call, const char* path, int flags, mode_t mode) {
  if (fails_at("open", path)) return -1;
  return next_of<int(const char*, int, ...)>(call)(path, flags, mode);
}

}  // namespace

extern "C" {

int fsync(int fd) { return fails_on("fsync", fd) ? -1 : next_of<int(int)>("fsync")(fd); }

int fdatasync(int fd) {
  return fails_on("fdatasync", fd) ? -1 : next_of<int(int)>("fdatasync")(fd);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
  if (fails_on("pwrite", fd)) return -1;
  return next_of<ssize_t(int, const void*, size_t, off_t)>("pwrite")(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
  if (fails_on("pwrite", fd)) return -1;
  return next_of<ssize_t(int, const void*, size_t, off64_t)>("pwrite64")(fd, data, size, at);
}

int ftruncate(int fd, off_t size) noexcept {
  if (fails_on("ftruncate", fd)) return -1;
  return next_of<int(int, off_t)>("ftruncate")(fd, size);
}

int ftruncate64(int fd, off64_t size) noexcept {
  if (fails_on("ftruncate", fd)) return -1;
  return next_of<int(int, off64_t)>("ftruncate64")(fd, size);
}

int rename(const char* from, const char* to) noexcept {
  if (fails_at("rename", to)) return -1;
  return next_of<int(const char*, const char*)>("rename")(from, to);
}

int renameat2(int from_fd, const char* from, int to_fd, const char* to, unsigned flags) noexcept {
  if (fails_at("rename", to)) return -1;
  return next_of<int(int, const char*, int, const char*, unsigned)>("renameat2")(
      from_fd, from, to_fd, to, flags);
}

int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
  if (fails_alone("accept4")) return -1;
  return next_of<int(int, sockaddr*, socklen_t*, int)>("accept4")(fd, address, size, flags);
}

int socketpair(int domain, int type, int protocol, int* pair) noexcept {
  if (fails_alone("socketpair")) return -1;
  return next_of<int(int, int, int, int*)>("socketpair")(domain, type, protocol, pair);
}

int pipe2(int* pair, int flags) noexcept {
  return fails_alone("pipe2") ? -1 : next_of<int(int*, int)>("pipe2")(pair, flags);
}

}  // extern "C"
