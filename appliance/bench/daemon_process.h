// DaemonProcess: a linesignd that lives no longer than the object that started it.
//
// SIGTERM and patience at the end, SIGKILL only after that. If this process is killed, the kernel
// ends the daemon. It has a process group of its own: Ctrl-C reaches it through us.
//
// Errors   Internal when it cannot be started; Io for the log
// Threads  the thread that started it, and it must live as long as the daemon
#ifndef LINESIGN_APPLIANCE_BENCH_DAEMON_PROCESS_H_
#define LINESIGN_APPLIANCE_BENCH_DAEMON_PROCESS_H_

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "protocol/base/result.h"
#include "protocol/base/unique_fd.h"

namespace linesign::bench {

class DaemonProcess final {
 public:
  // Runs `executable --config config`; its output goes to the end of `log`.
  static Result<std::unique_ptr<DaemonProcess>> start(const std::filesystem::path& executable,
                                                      const std::filesystem::path& config,
                                                      const std::filesystem::path& log);
  DaemonProcess(const DaemonProcess&) = delete;
  DaemonProcess& operator=(const DaemonProcess&) = delete;
  ~DaemonProcess();

  int pid() const { return pid_; }

  // Waits at most so long for its end: "exit status 78", "signal 9"; nothing while it runs.
  std::optional<std::string> wait_for_end(std::chrono::milliseconds limit);

  // Internal with what it ended with, if that is not exit status 0.
  Result<void> stop();

 private:
  DaemonProcess(int pid, UniqueFd process) : pid_(pid), process_(std::move(process)) {}
  int pid_;
  UniqueFd process_;  // pidfd
  std::optional<int> status_;
};

}  // namespace linesign::bench

#endif  // LINESIGN_APPLIANCE_BENCH_DAEMON_PROCESS_H_
