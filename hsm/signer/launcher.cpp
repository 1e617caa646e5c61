#include "hsm/signer/launcher.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fmt/format.h>

#include "protocol/base/file.h"
#include "protocol/base/process.h"
#include "protocol/base/spawn.h"

namespace linesign {
namespace {

constexpr int kChildSocket = 3;

struct Order {
  enum class Kind : uint32_t { Start, End, EndOrphan };
  Kind kind = Kind::Start;  // with the signer's end of a socket
  int32_t pid = 0;          // of an orphan
  uint64_t id = 0;
};

struct Answer {
  SignerReport::Kind kind = SignerReport::Kind::Ended;
  int32_t value = 0;  // of a SignerReport; NotStarted: the code of the error
  uint64_t id = 0;
  std::array<char, 256> detail{};  // of an error, ends with 0
};

// What comes with a message.
using Control = std::array<char, CMSG_SPACE(sizeof(int))>;

struct SocketPair {
  UniqueFd ours;
  UniqueFd theirs;
};

Error no_start(const std::string& what, int error) {
  ErrorCode code = ErrorCode::Internal;
  if (error == EMFILE || error == ENFILE) code = ErrorCode::DescriptorLimit;
  if (error == EAGAIN || error == ENOMEM) code = ErrorCode::HsmUnavailable;
  return Error(code, fmt::format("a signer cannot be started: {}: {}", what, errno_text(error)));
}

// Only our end does not block: O_NONBLOCK belongs to the open file, and the others wait in recv().
Result<SocketPair> make_socket_pair() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.data()) != 0)
    return fail(no_start("socketpair", errno));
  SocketPair sockets{UniqueFd(fds[0]), UniqueFd(fds[1])};
  if (::fcntl(sockets.ours.get(), F_SETFL, O_NONBLOCK) != 0) return fail(no_start("fcntl", errno));
  return sockets;
}

Result<int> spawn_with_socket(const std::filesystem::path& program,
                              std::vector<std::string> words,
                              int socket) {
  words.insert(words.begin(), program.string());
  words.insert(words.end(), {"--fd", std::to_string(kChildSocket)});
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
  if (error != 0) return fail(no_start(program.string(), error));
  return static_cast<int>(pid);
}

// One message, with a descriptor or without (-1).
bool send_order(const UniqueFd& socket, const Order& order, int given = -1) {
  iovec part{.iov_base = const_cast<Order*>(&order), .iov_len = sizeof order};
  alignas(cmsghdr) Control control{};
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
  return ::sendmsg(socket.get(), &message, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof order);
}

// Absent: linesignd is gone.
std::optional<Order> receive_order(const UniqueFd& socket, UniqueFd& given) {
  Order order;
  iovec part{.iov_base = &order, .iov_len = sizeof order};
  alignas(cmsghdr) Control control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got = ::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR) got = ::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC);
  if (got != static_cast<ssize_t>(sizeof order)) return std::nullopt;
  if (const cmsghdr* header = CMSG_FIRSTHDR(&message);
      header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    given = UniqueFd(fd);
  }
  return order;
}

bool send_answer(const UniqueFd& socket, const SignerReport& report) {
  Answer answer{.kind = report.kind, .value = report.value, .id = report.id, .detail = {}};
  if (report.error) {
    answer.value = static_cast<int32_t>(report.error->code());
    report.error->detail().copy(answer.detail.data(), answer.detail.size() - 1);
  }
  ssize_t sent = ::send(socket.get(), &answer, sizeof answer, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR)
    sent = ::send(socket.get(), &answer, sizeof answer, MSG_NOSIGNAL);
  return sent == static_cast<ssize_t>(sizeof answer);
}

// Nobody else's process is touched, whatever number linesignd names.
void end_process_of(uid_t user, int pid) {
  const UniqueFd process = open_process(pid);
  const auto info = read_process(pid);
  if (process && info && info->user == user) kill_process(process);
}

// Absent: nothing to report.
std::optional<SignerReport> obey(OwnSigners& signers,
                                 const Order& order,
                                 const UniqueFd& given,
                                 uid_t user) {
  if (order.kind == Order::Kind::End) signers.end(order.id);
  if (order.kind == Order::Kind::EndOrphan) end_process_of(user, order.pid);
  if (order.kind != Order::Kind::Start) return std::nullopt;
  SignerReport report{.kind = SignerReport::Kind::Started, .id = order.id};
  const auto pid = given ? signers.launch(order.id, given.get())
                         : Result<int>(fail(no_start("the launcher", EMFILE)));
  if (pid) {
    report.value = *pid;
  } else {
    report.kind = SignerReport::Kind::NotStarted;
    report.error = pid.error();
  }
  return report;
}

}  // namespace

Result<SignerChild> OwnSigners::launch() {
  LS_TRY(SocketPair sockets, make_socket_pair());
  const uint64_t id = ++last_id_;
  LS_TRY(const int pid, launch(id, sockets.theirs.get()));
  started_.push_back({.kind = SignerReport::Kind::Started, .id = id, .value = pid});
  return SignerChild{id, std::move(sockets.ours)};
}

Result<int> OwnSigners::launch(uint64_t id, int socket) {
  LS_TRY(const int pid, spawn_with_socket(program_, words_, socket));
  pids_[id] = pid;
  return pid;
}

// A child keeps its number until it is reaped.
void OwnSigners::end(uint64_t id) {
  if (const auto found = pids_.find(id); found != pids_.end()) ::kill(found->second, SIGKILL);
}

std::vector<SignerReport> OwnSigners::take_reports() {
  std::vector<SignerReport> reports = std::exchange(started_, {});
  for (auto each = pids_.begin(); each != pids_.end();) {
    int status = 0;
    if (::waitpid(each->second, &status, WNOHANG) == 0) {
      ++each;
      continue;
    }
    reports.push_back({.kind = SignerReport::Kind::Ended, .id = each->first, .value = status});
    each = pids_.erase(each);
  }
  return reports;
}

Result<SignerLauncher> SignerLauncher::start(const std::filesystem::path& program,
                                             const std::filesystem::path& config,
                                             uid_t user) {
  LS_TRY(SocketPair sockets, make_socket_pair());
  LS_CHECK(
      spawn_with_socket(program,
                        {"--launcher", "--config", config.string(), "--user", std::to_string(user)},
                        sockets.theirs.get()));
  return SignerLauncher(std::move(sockets.ours), user);
}

Result<SignerChild> SignerLauncher::launch() {
  LS_TRY(SocketPair sockets, make_socket_pair());
  const uint64_t id = ++last_id_;
  if (!send_order(socket_, {.kind = Order::Kind::Start, .id = id}, sockets.theirs.get()))
    return fail(ErrorCode::ConnectionClosed,
                fmt::format("the launcher of the signers takes no orders: {}", errno_text(errno)));
  return SignerChild{id, std::move(sockets.ours)};
}

void SignerLauncher::end(uint64_t id) {
  if (!send_order(socket_, {.kind = Order::Kind::End, .id = id})) to_end_.push_back(id);
}

void SignerLauncher::end_orphan(int pid) {
  // The next look comes again.
  static_cast<void>(send_order(socket_, {.kind = Order::Kind::EndOrphan, .pid = pid}));
}

std::vector<SignerReport> SignerLauncher::take_reports() {
  for (const uint64_t id : std::exchange(to_end_, {})) end(id);
  std::vector<SignerReport> reports;
  while (true) {
    Answer answer;
    const ssize_t got = ::recv(socket_.get(), &answer, sizeof answer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return reports;
    if (got != static_cast<ssize_t>(sizeof answer)) break;
    SignerReport report{.kind = answer.kind, .id = answer.id, .value = answer.value};
    answer.detail.back() = '\0';
    if (answer.kind == SignerReport::Kind::NotStarted)
      report.error =
          Error(find_error_code(static_cast<uint32_t>(answer.value)).value_or(ErrorCode::Internal),
                answer.detail.data());
    reports.push_back(std::move(report));
  }
  is_gone_ = true;
  return reports;
}

Result<void> run_launcher(const UniqueFd& socket,
                          const std::filesystem::path& program,
                          const std::filesystem::path& config,
                          uid_t user) {
  OwnSigners signers(program,
                     {"--config",
                      config.string(),
                      "--user",
                      std::to_string(user),
                      "--parent",
                      std::to_string(::getpid())});
  // A child's end is noticed while it waits, and at no other time.
  sigset_t ends;
  sigset_t others;
  sigemptyset(&ends);
  sigaddset(&ends, SIGCHLD);
  struct sigaction wake {};
  wake.sa_handler = [](int /*number*/) {};
  if (::sigaction(SIGCHLD, &wake, nullptr) != 0 || ::sigprocmask(SIG_BLOCK, &ends, &others) != 0)
    return fail(ErrorCode::Internal, "SIGCHLD: " + errno_text(errno));
  while (true) {
    for (const SignerReport& report : signers.take_reports())
      if (!send_answer(socket, report)) return {};
    pollfd order_came{.fd = socket.get(), .events = POLLIN, .revents = 0};
    if (::ppoll(&order_came, 1, nullptr, &others) <= 0) continue;
    UniqueFd given;
    const auto order = receive_order(socket, given);
    if (!order) return {};
    if (const auto report = obey(signers, *order, given, user);
        report && !send_answer(socket, *report))
      return {};
  }
}

}  // namespace linesign
