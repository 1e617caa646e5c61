// Processes: who one is, whether it lives, what becomes of it.
//
// Errors   none: what cannot be found out is absent
// Threads  no state, safe anywhere
// Source   proc(5), pidfd_open(2), unix(7) SO_PEERCRED
#ifndef LINESIGN_PROTOCOL_BASE_PROCESS_H_
#define LINESIGN_PROTOCOL_BASE_PROCESS_H_

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "protocol/base/unique_fd.h"

namespace linesign {

struct ProcessInfo {
  int parent = 0;
  char state = '?';     // 'T': stopped, 'D': waits for a disk or the like; proc(5)
  uid_t user = 0;       // effective
  std::string name;     // the kernel's, at most 15 bytes
  std::string program;  // the first word of its command line
};

// Absent: there is no such process.
std::optional<ProcessInfo> read_process(int pid);

// A process by descriptor: its number may become another's, this does not. Empty: there is none.
UniqueFd open_process(int pid);

// False: it has not ended within the time. A zombie has ended.
bool wait_for_exit(const UniqueFd& process, std::chrono::milliseconds limit);
bool wait_for_exit(int pid, std::chrono::milliseconds limit);

bool is_running(int pid);

// SIGKILL, to exactly this one.
void kill_process(const UniqueFd& process);

// Waits for a child that has ended or was killed; its status as of waitpid(2).
int reap(int pid);

// Who made a socket pair, or connected to, or listens at the other end of a Unix socket. Absent: no
// such socket, or nobody; the process also where it belongs to another PID namespace.
std::optional<int> peer_process(int socket);
std::optional<uid_t> peer_user(int socket);

// Who holds the flock(2) lock of this file. Absent: nobody, or nobody that can be seen.
std::optional<int> find_lock_holder(const std::filesystem::path& file);

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_BASE_PROCESS_H_
