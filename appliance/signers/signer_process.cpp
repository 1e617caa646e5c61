#include "appliance/signers/signer_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string>

#include <fmt/format.h>
#include <google/protobuf/arena.h>

#include "protocol/base/file.h"
#include "protocol/base/spawn.h"

namespace linesign {
namespace {

constexpr int kChildSocket = 3;

struct SocketPair {
  UniqueFd ours;
  UniqueFd theirs;
};

Result<SocketPair> make_socket_pair() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.data()) != 0)
    return fail(ErrorCode::Internal, "socketpair: " + errno_text(errno));
  SocketPair pair{UniqueFd(fds[0]), UniqueFd(fds[1])};
  // Only our end: O_NONBLOCK belongs to the open file, and the signer waits in recv().
  if (::fcntl(pair.ours.get(), F_SETFL, O_NONBLOCK) != 0)
    return fail(ErrorCode::Internal, "fcntl: " + errno_text(errno));
  return pair;
}

Result<int> spawn_child(const SignerProcess::Program& program, int child_socket) {
  std::string executable = program.executable.string();
  std::string config = program.config.string();
  std::string fd = std::to_string(kChildSocket);
  std::string config_flag = "--config";
  std::string fd_flag = "--fd";
  std::array<char*, 6> arguments = {
      executable.data(), config_flag.data(), config.data(), fd_flag.data(), fd.data(), nullptr};
  SpawnActions actions;
  // dup2 clears FD_CLOEXEC, except when both numbers are equal: glibc's action handles that too.
  posix_spawn_file_actions_adddup2(actions.get(), child_socket, kChildSocket);
  const SpawnAttributes attributes;
  pid_t pid = 0;
  const int error = ::posix_spawn(
      &pid, executable.c_str(), actions.get(), attributes.get(), arguments.data(), environ);
  if (error != 0)
    return fail(ErrorCode::Internal, fmt::format("{}: {}", executable, errno_text(error)));
  return static_cast<int>(pid);
}

void fill_item(signer::v1::SignItem& item, const SignJob& job) {
  const RecordedIntent& intent = *job.intent;
  item.set_issuance_id(intent.issuance_id());
  item.set_csr_der(intent.csr().data(), intent.csr().size());
  item.set_device_id(intent.device_id());
  item.set_serial(intent.serial().data(), intent.serial().size());
  item.set_issued_at(intent.issued_at().time_since_epoch().count());
  item.set_tbs_sha256(job.tbs_hash.data(), job.tbs_hash.size());
}

constexpr std::chrono::milliseconds kReadyGrace(300);
constexpr std::chrono::milliseconds kStartingGrace(3000);

int reap(int pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

void wait_for_exit(int pid, std::chrono::milliseconds limit) {
  // By number: glibc 2.36 declares pidfd_open() for C only.
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process) return;
  pollfd exit{.fd = process.get(), .events = POLLIN, .revents = 0};
  ::poll(&exit, 1, static_cast<int>(limit.count()));
}

std::string describe_exit(int status) {
  if (WIFSIGNALED(status)) return fmt::format("ended by signal {}", WTERMSIG(status));
  return fmt::format("exit status {}", WEXITSTATUS(status));
}

}  // namespace

Result<std::unique_ptr<SignerProcess>> SignerProcess::spawn(EventLoop& loop,
                                                            const Clock& clock,
                                                            const Program& program,
                                                            Events events) {
  LS_TRY(SocketPair sockets, make_socket_pair());
  LS_TRY(const int pid, spawn_child(program, sockets.theirs.get()));
  std::unique_ptr<SignerProcess> process(
      new SignerProcess(clock, program, std::move(events), std::move(sockets.ours), pid));
  process->watch(loop);
  return process;
}

SignerProcess::SignerProcess(
    const Clock& clock, const Program& program, Events events, UniqueFd socket, int pid)
    : clock_(clock),
      threads_(static_cast<size_t>(std::max(program.threads, 1))),
      events_(std::move(events)),
      socket_(std::move(socket)),
      pid_(pid),
      started_at_(clock.steady()),
      buffer_(kMaxSignerMessageBytes) {}

SignerProcess::~SignerProcess() {
  watch_.reset();
  socket_.reset();  // end of file: the signer's order to leave
  if (pid_ <= 0) return;
  // Killing a SoftHSM user inside C_Login can empty its token, so a starting signer gets time.
  if (!ended_) wait_for_exit(pid_, ready_ ? kReadyGrace : kStartingGrace);
  ::kill(pid_, SIGKILL);
  reap(pid_);
}

void SignerProcess::kill_now() {
  ended_ = true;
  ready_ = false;
}

void SignerProcess::watch(EventLoop& loop) {
  watch_ = loop.watch(
      socket_.get(), {.read = true, .write = false}, [this](Readiness /*ready*/) { receive(); });
}

size_t SignerProcess::free_batches() const {
  const size_t wanted = threads_ * 2;
  return batches_.size() < wanted ? wanted - batches_.size() : 0;
}

bool SignerProcess::send(std::vector<SignJob>& jobs) {
  google::protobuf::Arena arena;
  auto* message = google::protobuf::Arena::CreateMessage<signer::v1::ToSigner>(&arena);
  message->mutable_items()->Reserve(static_cast<int>(jobs.size()));
  for (const SignJob& job : jobs) fill_item(*message->add_items(), job);
  const size_t size = message->ByteSizeLong();
  if (size > buffer_.size()) return false;
  message->SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(buffer_.data()));
  ssize_t sent = 0;
  do {
    sent = ::send(socket_.get(), buffer_.data(), size, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return false;  // a broken socket is noticed by receive()
  Batch batch;
  batch.progress_at = clock_.steady();
  std::move(jobs.begin(), jobs.end(), std::back_inserter(batch.jobs));
  jobs.clear();
  batches_.push_back(std::move(batch));
  return true;
}

std::optional<SteadyTime> SignerProcess::oldest_progress() const {
  std::optional<SteadyTime> oldest;
  for (size_t i = 0; i < batches_.size() && i < threads_; ++i) {
    if (!oldest || batches_[i].progress_at < *oldest) oldest = batches_[i].progress_at;
  }
  return oldest;
}

std::vector<SignJob> SignerProcess::take_unfinished(bool blame) {
  std::vector<SignJob> jobs;
  for (size_t i = 0; i < batches_.size(); ++i) {
    auto& unfinished = batches_[i].jobs;
    if (blame && i < threads_ && !unfinished.empty()) ++unfinished.front().failures;
    std::move(unfinished.begin(), unfinished.end(), std::back_inserter(jobs));
  }
  batches_.clear();
  return jobs;
}

void SignerProcess::receive() {
  google::protobuf::Arena arena;
  while (!ended_) {
    const ssize_t got = ::recv(socket_.get(), buffer_.data(), buffer_.size(), MSG_TRUNC);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (got <= 0) {
      // A child that closed its socket is at its end; the signal does not change the exit status of
      // one that is leaving already.
      ::kill(pid_, SIGKILL);
      const std::string how = describe_exit(reap(pid_));
      pid_ = -1;
      end(Error(ErrorCode::HsmUnavailable, "a signer stopped: " + how));
      return;
    }
    auto* message = google::protobuf::Arena::CreateMessage<signer::v1::FromSigner>(&arena);
    if (static_cast<size_t>(got) > buffer_.size() ||
        !message->ParseFromArray(buffer_.data(), static_cast<int>(got))) {
      end(Error(ErrorCode::SignerProtocol, "a message of the signer cannot be read"));
      return;
    }
    handle(*message);
  }
}

void SignerProcess::handle(const signer::v1::FromSigner& message) {
  if (message.has_failed()) {
    const auto code = find_error_code(message.failed().code());
    end(Error(code.value_or(ErrorCode::SignerProtocol), message.failed().detail()));
    return;
  }
  if (message.has_ready()) {
    if (ready_) {
      end(Error(ErrorCode::SignerProtocol, "a signer said twice that it is ready"));
      return;
    }
    ready_ = true;
    events_.on_ready(*this, message.ready());
    return;
  }
  for (const signer::v1::SignResult& result : message.results()) {
    if (!handle_result(result)) {
      end(Error(ErrorCode::SignerProtocol,
                fmt::format("a result for intent {} that the signer does not have",
                            result.issuance_id())));
      return;
    }
  }
  start_clocks();
  events_.on_progress(*this);
}

bool SignerProcess::handle_result(const signer::v1::SignResult& result) {
  for (Batch& batch : batches_) {
    const auto job = std::find_if(batch.jobs.begin(), batch.jobs.end(), [&](const SignJob& each) {
      return each.intent->issuance_id() == result.issuance_id();
    });
    if (job == batch.jobs.end()) continue;
    SignJob done = std::move(*job);
    batch.jobs.erase(job);
    batch.progress_at = clock_.steady();
    if (result.error_code() == 0) ++signatures_;
    events_.on_result(*this, std::move(done), result);
    return true;
  }
  return false;
}

void SignerProcess::start_clocks() {
  // A batch that moves up to be one of the running ones starts its time now.
  const SteadyTime now = clock_.steady();
  size_t kept = 0;
  for (size_t i = 0; i < batches_.size(); ++i) {
    if (batches_[i].jobs.empty()) continue;
    if (i >= threads_ && kept < threads_) batches_[i].progress_at = now;
    if (kept != i) batches_[kept] = std::move(batches_[i]);
    ++kept;
  }
  batches_.resize(kept);
}

void SignerProcess::end(Error reason) {
  if (ended_) return;
  ended_ = true;
  ready_ = false;
  watch_.reset();
  events_.on_ended(*this, std::move(reason));
}

}  // namespace linesign
