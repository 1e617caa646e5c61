#include "hsm/signer/launcher.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "protocol/base/file.h"
#include "protocol/base/process.h"
#include "protocol/base/spawn.h"

namespace linesign {
namespace {

constexpr int kChildSocket = 3;
// The launcher waits for nobody but the kernel.
constexpr timeval kPatience = {.tv_sec = 10, .tv_usec = 0};

struct Request {
  int32_t end_pid = 0;  // 0: start a signer
};

struct Reply {
  int32_t result = 0;              // the pid, or how the process ended
  std::array<char, 256> detail{};  // of an error, ends with 0
};

struct SocketPair {
  UniqueFd ours;
  UniqueFd theirs;
};

Result<SocketPair> make_socket_pair() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.data()) != 0)
    return fail(ErrorCode::Internal, "socketpair: " + errno_text(errno));
  return SocketPair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Result<int> spawn_with_socket(const std::filesystem::path& program,
                              std::vector<std::string> words,
                              int socket) {
  words.insert(words.begin(), program.string());
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  SpawnActions actions;
  // Standard output and error are the log; the socket is all else that it is given.
  posix_spawn_file_actions_addopen(actions.get(), STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  actions.give(socket, kChildSocket);
  actions.close_from(kChildSocket + 1);
  const SpawnAttributes attributes;
  pid_t pid = 0;
  const int error = ::posix_spawn(
      &pid, program.c_str(), actions.get(), attributes.get(), arguments.data(), environ);
  if (error != 0)
    return fail(ErrorCode::Internal, fmt::format("{}: {}", program.string(), errno_text(error)));
  return static_cast<int>(pid);
}

// One message, with a descriptor or without (-1).
bool send_reply(const UniqueFd& socket, const Reply& reply, int given) {
  iovec part{.iov_base = const_cast<Reply*>(&reply), .iov_len = sizeof reply};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (given >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof given);
    std::memcpy(CMSG_DATA(header), &given, sizeof given);
  }
  return ::sendmsg(socket.get(), &message, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof reply);
}

std::optional<Reply> receive_reply(const UniqueFd& socket, UniqueFd& given) {
  Reply reply;
  iovec part{.iov_base = &reply, .iov_len = sizeof reply};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got = ::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR) got = ::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC);
  if (got != static_cast<ssize_t>(sizeof reply)) return std::nullopt;
  if (const cmsghdr* header = CMSG_FIRSTHDR(&message);
      header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    given = UniqueFd(fd);
  }
  return reply;
}

std::optional<Reply> ask(const UniqueFd& socket, const Request& request, UniqueFd& given) {
  if (::send(socket.get(), &request, sizeof request, MSG_NOSIGNAL) < 0) return std::nullopt;
  return receive_reply(socket, given);
}

// Nobody else's process is touched, whatever number linesignd names.
Reply end_signer(int pid, uid_t user) {
  const UniqueFd process = open_process(pid);
  const auto info = read_process(pid);
  const bool is_child = info && info->parent == ::getpid();
  if (process && info && (is_child || info->user == user)) kill_process(process);
  return {.result = is_child ? reap(pid) : 0, .detail = {}};
}

}  // namespace

Result<SignerChild> spawn_signer(const std::filesystem::path& program,
                                 const std::filesystem::path& config) {
  LS_TRY(SocketPair sockets, make_socket_pair());
  // Only our end: O_NONBLOCK belongs to the open file, and the signer waits in recv().
  if (::fcntl(sockets.ours.get(), F_SETFL, O_NONBLOCK) != 0)
    return fail(ErrorCode::Internal, "fcntl: " + errno_text(errno));
  LS_TRY(const int pid,
         spawn_with_socket(program,
                           {"--config", config.string(), "--fd", std::to_string(kChildSocket)},
                           sockets.theirs.get()));
  return SignerChild{pid, std::move(sockets.ours)};
}

Result<SignerLauncher> SignerLauncher::start(const std::filesystem::path& program,
                                             const std::filesystem::path& config,
                                             uid_t user) {
  LS_TRY(SocketPair sockets, make_socket_pair());
  if (::setsockopt(sockets.ours.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience) != 0)
    return fail(ErrorCode::Internal, "SO_RCVTIMEO: " + errno_text(errno));
  LS_CHECK(spawn_with_socket(
      program,
      {"--launcher", "--config", config.string(), "--fd", std::to_string(kChildSocket)},
      sockets.theirs.get()));
  return SignerLauncher(std::move(sockets.ours), user);
}

Result<SignerChild> SignerLauncher::launch() {
  SignerChild child;
  const auto reply = ask(socket_, {}, child.socket);
  if (!reply) return fail(ErrorCode::ConnectionClosed, "the launcher of the signers is gone");
  if (!child.socket) return fail(ErrorCode::Internal, reply->detail.data());
  child.pid = reply->result;
  return child;
}

int SignerLauncher::end(int pid) {
  UniqueFd none;
  const auto reply = ask(socket_, {.end_pid = pid}, none);
  return reply ? reply->result : 0;
}

Result<void> run_launcher(const UniqueFd& socket,
                          const std::filesystem::path& program,
                          const std::filesystem::path& config,
                          uid_t user) {
  while (true) {
    Request request;
    const ssize_t got = ::recv(socket.get(), &request, sizeof request, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got != static_cast<ssize_t>(sizeof request)) return {};
    UniqueFd given;
    Reply reply;
    if (request.end_pid > 0) {
      reply = end_signer(request.end_pid, user);
    } else if (auto child = spawn_signer(program, config); child) {
      reply.result = child->pid;
      given = std::move(child->socket);
    } else {
      child.error().detail().copy(reply.detail.data(), reply.detail.size() - 1);
    }
    if (!send_reply(socket, reply, given.get())) return {};
  }
}

}  // namespace linesign
