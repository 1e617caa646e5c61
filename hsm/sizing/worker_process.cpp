#include "hsm/sizing/worker_process.h"

#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include <fmt/format.h>

#include "hsm/sizing/flat_json.h"
#include "protocol/base/file.h"
#include "protocol/base/process.h"
#include "protocol/base/spawn.h"

namespace linesign {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A worker may be inside a login: killing it there can empty a SoftHSM token.
constexpr milliseconds kTimeToLeave(3000);

// Negative: no event before the deadline.
bool wait_for(int fd, SteadyTime deadline) {
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count();
    pollfd event{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&event, 1, static_cast<int>(std::clamp<int64_t>(left, 0, INT32_MAX)));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

}  // namespace

Result<WorkerProcess> WorkerProcess::spawn(std::vector<std::string> command) {
  if (command.empty()) return fail(ErrorCode::Internal, "no program for the worker is named");
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0)
    return fail(ErrorCode::Internal, "socketpair: " + errno_text(errno));
  UniqueFd ours(fds[0]);
  const UniqueFd theirs(fds[1]);
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (std::string& argument : command) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  SpawnActions actions;
  const SpawnAttributes attributes;
  actions.give(theirs.get(), STDIN_FILENO);
  actions.give(theirs.get(), STDOUT_FILENO);
  actions.close_from(STDERR_FILENO + 1);
  pid_t pid = 0;
  const int error = ::posix_spawn(
      &pid, command.front().c_str(), actions.get(), attributes.get(), arguments.data(), environ);
  if (error != 0)
    return fail(ErrorCode::Internal, fmt::format("{}: {}", command.front(), errno_text(error)));
  return WorkerProcess(std::move(ours), pid);
}

WorkerProcess::WorkerProcess(WorkerProcess&& other) noexcept
    : socket_(std::move(other.socket_)),
      pid_(std::exchange(other.pid_, 0)),
      received_(std::move(other.received_)) {}

WorkerProcess& WorkerProcess::operator=(WorkerProcess&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(pid_, other.pid_);
  std::swap(received_, other.received_);
  return *this;
}

WorkerProcess::~WorkerProcess() {
  socket_.reset();
  if (pid_ == 0) return;
  wait_for_exit(pid_, kTimeToLeave);
  ::kill(pid_, SIGKILL);
  reap(pid_);
}

void WorkerProcess::send_line(std::string_view line) const {
  const std::string text = std::string(line) + '\n';
  std::string_view left = text;
  while (!left.empty()) {
    const ssize_t sent = ::send(socket_.get(), left.data(), left.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return;
    left.remove_prefix(static_cast<size_t>(sent));
  }
}

Result<std::string> WorkerProcess::read_line(SteadyTime deadline) {
  while (true) {
    if (const size_t end = received_.find('\n'); end != std::string::npos) {
      std::string line = received_.substr(0, end);
      received_.erase(0, end + 1);
      return line;
    }
    if (received_.size() > kMaxFlatJsonBytes)
      return fail(ErrorCode::Internal, "a worker's line is too long");
    LS_CHECK(receive(deadline));
  }
}

Result<void> WorkerProcess::receive(SteadyTime deadline) {
  if (!wait_for(socket_.get(), deadline))
    return fail(ErrorCode::SignerTimeout, "a worker of the measurement does not answer");
  std::array<char, 4096> buffer{};
  const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (size < 0 && errno == EINTR) return {};
  if (size <= 0) return fail(ended());
  received_.append(buffer.data(), static_cast<size_t>(size));
  return {};
}

// It closed its side: it is leaving, or it is gone.
Error WorkerProcess::ended() {
  wait_for_exit(pid_, kTimeToLeave);
  ::kill(pid_, SIGKILL);
  const int status = reap(std::exchange(pid_, 0));
  const std::string how = WIFSIGNALED(status) ? fmt::format("ended by signal {}", WTERMSIG(status))
                                              : fmt::format("exit status {}", WEXITSTATUS(status));
  return Error(ErrorCode::Internal, "a worker of the measurement broke off: " + how);
}

}  // namespace linesign
