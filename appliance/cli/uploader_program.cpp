#include "appliance/cli/uploader_program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "appliance/cli/bench_options.h"
#include "protocol/base/file.h"
#include "protocol/base/spawn.h"
#include "protocol/base/unique_fd.h"

namespace linesign {
namespace {

constexpr size_t kMaxInputBytes = 32 * 1024;  // fits a pipe, so that nobody waits for anybody
constexpr size_t kMaxAnswerBytes = 64 * 1024;
constexpr int kSignalBase = 128;  // as a shell says it

struct PipeEnds {
  UniqueFd reader;
  UniqueFd writer;
};

tl::unexpected<Error> not_started(std::string_view call, int error_number) {
  return fail(ErrorCode::Internal, std::string(call) + ": " + errno_text(error_number));
}

Result<PipeEnds> open_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return not_started("pipe2", errno);
  return PipeEnds{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::vector<char*> to_pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

Result<std::string> read_answer(int fd) {
  std::string text;
  std::array<char, 4096> piece{};
  for (;;) {
    const ssize_t got = ::read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return not_started("read", errno);
    if (got == 0) return text;
    text.append(piece.data(), static_cast<size_t>(got));
    if (text.size() > kMaxAnswerBytes)
      return fail(ErrorCode::Internal, "linesign-uploader prints too much");
  }
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : kSignalBase + WTERMSIG(status);
}

// `output`: -1: ours.
Result<pid_t> spawn(std::vector<std::string> words, const std::string& input, int output) {
  if (input.size() > kMaxInputBytes) return fail(ErrorCode::Internal, "the input is too long");
  LS_TRY(PipeEnds in, open_pipe());
  if (::write(in.writer.get(), input.data(), input.size()) != static_cast<ssize_t>(input.size()))
    return not_started("write", errno);
  SpawnActions actions;
  const SpawnAttributes attributes;
  actions.give(in.reader.get(), STDIN_FILENO);
  if (output >= 0) actions.give(output, STDOUT_FILENO);
  actions.close_from(STDERR_FILENO + 1);
  pid_t child = 0;
  const int error = ::posix_spawn(&child,
                                  words.front().c_str(),
                                  actions.get(),
                                  attributes.get(),
                                  to_pointers(words).data(),
                                  ::environ);
  if (error != 0) return not_started(words.front(), error);
  return child;
}

}  // namespace

Result<UploaderProgram> UploaderProgram::find(const std::filesystem::path& config) {
  LS_TRY(const std::filesystem::path self, own_program());
  return UploaderProgram(self.parent_path() / "linesign-uploader", config);
}

std::vector<std::string> UploaderProgram::words(const std::vector<std::string>& arguments) const {
  std::vector<std::string> all = {program_.string(), "--config", config_.string()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return all;
}

Error UploaderProgram::become(const std::vector<std::string>& arguments) const {
  std::vector<std::string> all = words(arguments);
  ::execv(all.front().c_str(), to_pointers(all).data());
  return Error(ErrorCode::Internal, program_.string() + ": " + errno_text(errno));
}

Result<UploaderProgram::Answer> UploaderProgram::ask(const std::vector<std::string>& arguments,
                                                     const std::string& input) const {
  LS_TRY(PipeEnds out, open_pipe());
  LS_TRY(const pid_t child, spawn(words(arguments), input, out.writer.get()));
  out.writer.reset();
  auto text = read_answer(out.reader.get());
  out.reader.reset();  // one that prints too much ends by this
  Answer answer;
  answer.exit_code = wait_for(child);
  if (!text.has_value()) return fail(text.error());
  answer.out = std::move(*text);
  return answer;
}

Result<int> UploaderProgram::run(const std::vector<std::string>& arguments,
                                 const std::string& input) const {
  LS_TRY(const pid_t child, spawn(words(arguments), input, -1));
  return wait_for(child);
}

}  // namespace linesign
