#include "protocol/base/process.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

namespace linesign {
namespace {

// The text after `key` in /proc/PID/status.
template <typename T>
bool read_value(const std::string& line, std::string_view key, T& value) {
  if (!line.starts_with(key)) return false;
  std::istringstream words(line.substr(key.size()));
  words >> value;
  return true;
}

std::optional<ucred> peer_of(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return peer;
}

}  // namespace

std::optional<ProcessInfo> read_process(int pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  if (!status) return std::nullopt;
  ProcessInfo info;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Name:\t")) info.name = line.substr(6);
    read_value(line, "PPid:", info.parent);
    read_value(line, "State:", info.state);
    uid_t real = 0;
    if (read_value(line, "Uid:", real)) {
      std::istringstream ids(line.substr(4));
      ids >> real >> info.user;
    }
  }
  std::ifstream command(fmt::format("/proc/{}/cmdline", pid));
  std::getline(command, info.program, '\0');
  return info;
}

UniqueFd open_process(int pid) {
  // By number: glibc 2.36 declares pidfd_open() for C only.
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

bool wait_for_exit(const UniqueFd& process, std::chrono::milliseconds limit) {
  using std::chrono::steady_clock;
  if (!process) return true;
  const auto deadline = steady_clock::now() + limit;
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
    pollfd exit{.fd = process.get(), .events = POLLIN, .revents = 0};
    const int ready = ::poll(&exit, 1, static_cast<int>(std::clamp<int64_t>(left, 0, INT_MAX)));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

bool wait_for_exit(int pid, std::chrono::milliseconds limit) {
  return wait_for_exit(open_process(pid), limit);
}

bool is_running(int pid) {
  const UniqueFd process = open_process(pid);
  if (!process) return errno != ESRCH;
  return !wait_for_exit(process, std::chrono::milliseconds(0));
}

void kill_process(const UniqueFd& process) {
  ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
}

int reap(int pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

std::optional<int> peer_process(int socket) {
  const auto peer = peer_of(socket);
  return peer && peer->pid > 0 ? std::optional<int>(peer->pid) : std::nullopt;
}

std::optional<uid_t> peer_user(int socket) {
  const auto peer = peer_of(socket);
  const bool is_known = peer && peer->uid != static_cast<uid_t>(-1);
  return is_known ? std::optional<uid_t>(peer->uid) : std::nullopt;
}

std::optional<int> find_lock_holder(const std::filesystem::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return std::nullopt;
  const std::string inode =
      fmt::format("{:02x}:{:02x}:{}", major(info.st_dev), minor(info.st_dev), info.st_ino);
  std::ifstream locks("/proc/locks");
  // "1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF"; one that waits has "->" after its number.
  for (std::string line; std::getline(locks, line);) {
    std::istringstream words(line);
    std::string number;
    std::string kind;
    std::string strength;
    std::string access;
    std::string place;
    int pid = 0;
    words >> number >> kind >> strength >> access >> pid >> place;
    if (words && kind == "FLOCK" && place == inode && pid > 0) return pid;
  }
  return std::nullopt;
}

}  // namespace linesign
