// WorkerProcess: one worker of a measurement, from exec to its last line.
//
// Errors   Internal: a worker cannot be started, or ended without a word (with how it ended);
//          SignerTimeout: it said nothing in time
// Threads  one
// Source   posix_spawn(3), unix(7); the worker's standard input and output are one socket
#ifndef LINESIGN_HSM_SIZING_WORKER_PROCESS_H_
#define LINESIGN_HSM_SIZING_WORKER_PROCESS_H_

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "protocol/base/unique_fd.h"

namespace linesign {

// When this object goes, the worker sees the end of its input, has a moment to leave,
// and is killed then.
class WorkerProcess final {
 public:
  // `command` is an absolute path and arguments. Standard error is ours.
  static Result<WorkerProcess> spawn(std::vector<std::string> command);
  WorkerProcess(WorkerProcess&& other) noexcept;
  WorkerProcess& operator=(WorkerProcess&& other) noexcept;
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;
  ~WorkerProcess();

  // A newline is added. A worker that is gone is noticed by the next read_line().
  void send_line(std::string_view line) const;
  // Without its newline. At most kMaxFlatJsonBytes.
  Result<std::string> read_line(SteadyTime deadline);

 private:
  WorkerProcess(UniqueFd socket, int pid) : socket_(std::move(socket)), pid_(pid) {}
  Result<void> receive(SteadyTime deadline);
  Error ended();

  UniqueFd socket_;
  int pid_ = 0;  // 0: reaped
  std::string received_;
};

}  // namespace linesign

#endif  // LINESIGN_HSM_SIZING_WORKER_PROCESS_H_
