#include "appliance/bench/daemon_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include <fmt/format.h>

#include "protocol/base/file.h"

namespace linesign::bench {
namespace {

constexpr std::chrono::seconds kStopPatience(30);
constexpr int kExitCannotStart = 127;

// Between fork and exec: only what is safe after a fork of a process with threads.
[[noreturn]] void become(char* const* arguments, int log, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // The parent may have died before the request above.
  if (::getppid() == parent && ::dup2(log, STDOUT_FILENO) >= 0 && ::dup2(log, STDERR_FILENO) >= 0 &&
      ::close_range(STDERR_FILENO + 1, ~0U, 0) == 0)
    ::execv(arguments[0], arguments);
  ::_exit(kExitCannotStart);
}

void wait_readable(int fd, std::chrono::milliseconds limit) {
  pollfd end{.fd = fd, .events = POLLIN, .revents = 0};
  ::poll(&end, 1, static_cast<int>(limit.count()));
}

std::string describe(int status) {
  if (WIFSIGNALED(status)) return fmt::format("signal {}", WTERMSIG(status));
  return fmt::format("exit status {}", WEXITSTATUS(status));
}

}  // namespace

Result<std::unique_ptr<DaemonProcess>> DaemonProcess::start(const std::filesystem::path& executable,
                                                            const std::filesystem::path& config,
                                                            const std::filesystem::path& log) {
  const UniqueFd output(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!output) return fail(ErrorCode::Io, log.string() + ": " + errno_text(errno));
  if (::access(executable.c_str(), X_OK) != 0)
    return fail(ErrorCode::Internal, executable.string() + ": " + errno_text(errno));
  std::string program = executable.string();
  std::string flag = "--config";
  std::string file = config.string();
  const std::array<char*, 4> arguments = {program.data(), flag.data(), file.data(), nullptr};
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return fail(ErrorCode::Internal, "fork: " + errno_text(errno));
  if (pid == 0) become(arguments.data(), output.get(), parent);
  // By number: glibc 2.36 declares pidfd_open() for C only.
  UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  return std::unique_ptr<DaemonProcess>(new DaemonProcess(pid, std::move(process)));
}

DaemonProcess::~DaemonProcess() { static_cast<void>(stop().has_value()); }

std::optional<std::string> DaemonProcess::wait_for_end(std::chrono::milliseconds limit) {
  if (!status_) {
    wait_readable(process_.get(), limit);
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
  }
  if (!status_) return {};
  return describe(*status_);
}

Result<void> DaemonProcess::stop() {
  if (!status_) {
    ::kill(pid_, SIGTERM);
    static_cast<void>(wait_for_end(kStopPatience));
  }
  if (!status_) {
    ::kill(pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    status_ = status;
  }
  if (*status_ != 0) return fail(ErrorCode::Internal, "linesignd ended with " + describe(*status_));
  return {};
}

}  // namespace linesign::bench
