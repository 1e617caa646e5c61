#include "appliance/cloud/aws/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include <fmt/format.h>

#include "appliance/cloud/aws/service_error.h"
#include "protocol/base/file.h"
#include "protocol/base/spawn.h"
#include "protocol/base/unique_fd.h"

namespace linesign::aws {
namespace {

using Deadline = std::chrono::steady_clock::time_point;

constexpr size_t kMaxOutputBytes = 64 * 1024;
constexpr size_t kMaxReasonBytes = 200;

tl::unexpected<Error> child_failed(std::string why) {
  return fail(ErrorCode::AwsCredentialsFailed, std::move(why));
}

struct Pipe {
  UniqueFd reader;
  UniqueFd writer;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return child_failed("pipe: " + errno_text(errno));
  Pipe pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
  if (::fcntl(pipe.reader.get(), F_SETFL, O_NONBLOCK) != 0)
    return child_failed("fcntl: " + errno_text(errno));
  return pipe;
}

// A started program. Killed and reaped when it goes.
class Child final {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    reap();
  }

  // Absent: not before the deadline.
  std::optional<int> wait(Deadline deadline) {
    // By number: glibc 2.36 declares pidfd_open() for C only.
    const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    pollfd exit{.fd = process.get(), .events = POLLIN, .revents = 0};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    const int ready = ::poll(&exit, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
    if (ready <= 0) return std::nullopt;
    return reap();
  }

 private:
  int reap() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

  pid_t pid_;
};

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

Result<pid_t> spawn(std::vector<std::string> words,
                    const Environment& environment,
                    int output,
                    int errors) {
  std::vector<std::string> lines = environment.lines();
  const SpawnAttributes attributes;
  SpawnActions actions;
  posix_spawn_file_actions_addopen(actions.get(), STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  actions.give(output, STDOUT_FILENO);
  actions.give(errors, STDERR_FILENO);
  actions.close_from(STDERR_FILENO + 1);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid,
                                   words.front().c_str(),
                                   actions.get(),
                                   attributes.get(),
                                   pointers_to(words).data(),
                                   pointers_to(lines).data());
  if (error != 0) return child_failed(fmt::format("{}: {}", words.front(), errno_text(error)));
  return pid;
}

// Reads what is there. False: the other end is closed.
Result<bool> drain(int fd, Bytes& into) {
  std::array<uint8_t, 4096> piece{};
  for (;;) {
    const ssize_t got = ::read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return true;
    if (got < 0) return child_failed("read: " + errno_text(errno));
    if (got == 0) return false;
    into.insert(into.end(), piece.begin(), piece.begin() + got);
    wipe({piece.data(), static_cast<size_t>(got)});
    if (into.size() > kMaxOutputBytes) return child_failed("it prints too much");
  }
}

// Until both ends are closed.
Result<void> collect(
    const Pipe& output, const Pipe& errors, Bytes& out, Bytes& err, Deadline deadline) {
  std::array<pollfd, 2> ends = {{{.fd = output.reader.get(), .events = POLLIN, .revents = 0},
                                 {.fd = errors.reader.get(), .events = POLLIN, .revents = 0}}};
  const std::array<Bytes*, 2> buffers = {&out, &err};
  while (ends[0].fd >= 0 || ends[1].fd >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return child_failed("it takes too long");
    if (::poll(ends.data(), ends.size(), static_cast<int>(left.count())) < 0 && errno != EINTR)
      return child_failed("poll: " + errno_text(errno));
    for (size_t i = 0; i < ends.size(); ++i) {
      if (ends[i].fd < 0 || ends[i].revents == 0) continue;
      LS_TRY(const bool is_open, drain(ends[i].fd, *buffers[i]));
      if (!is_open) ends[i].fd = -1;
    }
  }
  return {};
}

// State of a POSIX shell's word splitting.
class WordSplitter final {
 public:
  void take(char c) {
    if (is_escaped_) {
      // Inside double quotes a backslash keeps its meaning before these only.
      if (quote_ == '"' && c != '"' && c != '\\') word_ += '\\';
      word_ += c;
      is_escaped_ = false;
    } else if (c == '\\' && quote_ != '\'') {
      is_escaped_ = has_word_ = true;
    } else if (quote_ != '\0') {
      if (c == quote_) {
        quote_ = '\0';
      } else {
        word_ += c;
      }
    } else if (c == '"' || c == '\'') {
      quote_ = c;
      has_word_ = true;
    } else if (c == ' ' || c == '\t') {
      end_word();
    } else {
      word_ += c;
      has_word_ = true;
    }
  }

  void end_word() {
    if (has_word_) words.push_back(std::move(word_));
    word_.clear();
    has_word_ = false;
  }

  bool is_complete() const { return quote_ == '\0' && !is_escaped_; }

  std::vector<std::string> words;

 private:
  std::string word_;
  char quote_ = '\0';
  bool is_escaped_ = false;
  bool has_word_ = false;
};

}  // namespace

Result<std::vector<std::string>> split_words(std::string_view text) {
  WordSplitter splitter;
  for (const char c : text) splitter.take(c);
  if (!splitter.is_complete()) return fail(ErrorCode::AwsSettings, "a quote is not closed");
  splitter.end_word();
  if (splitter.words.empty()) return fail(ErrorCode::AwsSettings, "there is no command");
  return std::move(splitter.words);
}

Result<SecretBytes> run_program(const std::vector<std::string>& words,
                                const Environment& environment,
                                std::chrono::milliseconds limit) {
  const Deadline deadline = std::chrono::steady_clock::now() + limit;
  LS_TRY(Pipe output, make_pipe());
  LS_TRY(Pipe errors, make_pipe());
  LS_TRY(const pid_t pid, spawn(words, environment, output.writer.get(), errors.writer.get()));
  Child child(pid);
  output.writer.reset();
  errors.writer.reset();
  Bytes out;
  Bytes err;
  auto collected = collect(output, errors, out, err, deadline);
  SecretBytes answer(std::move(out));
  if (!collected.has_value()) return fail(collected.error().with_context(words.front()));
  const auto status = child.wait(deadline);
  if (!status) return child_failed(words.front() + ": it takes too long");
  if (WIFEXITED(*status) && WEXITSTATUS(*status) == 0) return answer;
  const std::string_view said = as_text(err);
  return child_failed(fmt::format("{}: {}: {}",
                                  words.front(),
                                  WIFSIGNALED(*status)
                                      ? fmt::format("signal {}", WTERMSIG(*status))
                                      : fmt::format("exit status {}", WEXITSTATUS(*status)),
                                  one_line(said.substr(0, said.find('\n')), kMaxReasonBytes)));
}

}  // namespace linesign::aws
