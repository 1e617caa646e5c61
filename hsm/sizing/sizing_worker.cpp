// The process that measure() starts.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <latch>
#include <optional>
#include <thread>

#include <fmt/format.h>
#include <sysexits.h>

#include "hsm/signer/hardening.h"
#include "hsm/signer/login_files.h"
#include "hsm/signer/startup.h"
#include "hsm/sizing/flat_json.h"
#include "hsm/sizing/sizing.h"
#include "hsm/sizing/worker_messages.h"
#include "protocol/base/core_dumps.h"

namespace linesign {
namespace {

// Lines of standard input; they are few.
Result<std::string> read_line() {
  std::string line;
  while (line.size() <= kMaxFlatJsonBytes) {
    char c = 0;
    const ssize_t size = ::read(STDIN_FILENO, &c, 1);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return fail(ErrorCode::ConnectionClosed, "the measurement was broken off");
    if (c == '\n') return line;
    line += c;
  }
  return fail(ErrorCode::InputInvalid, "the line is too long");
}

void write_line(std::string line) {
  line += '\n';
  std::string_view left = line;
  while (!left.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return;
    left.remove_prefix(static_cast<size_t>(written));
  }
}

double process_cpu_seconds() {
  constexpr double kNanosPerSecond = 1e9;
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / kNanosPerSecond;
}

Result<SigningToken> log_in(const WorkerJob& job, const CaCertificate& ca) {
  SignerSettings settings;
  settings.token = job.target.token;
  settings.threads_per_signer = job.threads;
  settings.login_lock = job.target.login_lock;
  settings.pin_memory = job.target.pin_memory;
  // After the login a kill hurts nobody: if the measurement is killed, its workers go at once.
  const int parent = ::getppid();
  LS_CHECK(end_with_parent(parent, ParentDeath::Grace));
  StartSteps steps;
  steps.after_login = [parent] { return end_with_parent(parent, ParentDeath::Kill); };
  return open_signing_token(settings, ca.key_type(), steps);
}

Result<std::vector<SigningLoop>> make_loops(const WorkerJob& job,
                                            const CaCertificate& ca,
                                            const SigningToken& token,
                                            std::span<const CorpusCsr> corpus) {
  std::vector<SigningLoop> loops;
  for (int i = 0; i < job.threads; ++i) {
    LS_TRY(std::unique_ptr<SigningKey> key, token.make_signing_key());
    LS_TRY(SigningLoop loop, SigningLoop::create(ca, std::move(key), corpus));
    loops.push_back(std::move(loop));
  }
  return loops;
}

Result<WorkerResult> run_loops(const WorkerJob& job, std::vector<SigningLoop>& loops) {
  std::vector<std::optional<Result<LoopResult>>> results(loops.size());
  std::latch all_there(static_cast<std::ptrdiff_t>(loops.size()));
  const auto run = [&](size_t i) {
    all_there.arrive_and_wait();
    results[i] = loops[i].run(job.duration, job.timing);
  };
  const double cpu_before = process_cpu_seconds();
  {
    std::vector<std::jthread> threads;
    for (size_t i = 1; i < loops.size(); ++i) threads.emplace_back(run, i);
    run(0);
  }
  WorkerResult sum;
  sum.cpu_seconds = process_cpu_seconds() - cpu_before;
  for (const auto& result : results) {
    if (!*result) return fail(result->error());
    const LoopResult& loop = **result;
    sum.certificates += loop.certificates;
    sum.wall_seconds = std::max(sum.wall_seconds, std::chrono::duration<double>(loop.wall).count());
    for (size_t i = 0; i < sum.steps.size(); ++i) sum.steps[i] += loop.steps[i];
  }
  return sum;
}

WorkerReady describe(const SigningToken& token, const CaCertificate& ca) {
  const TokenInfo& info = token.token();
  WorkerReady ready;
  ready.token = fmt::format("{} ({})", info.label, info.serial);
  ready.ca_key = ca.key_type();
  ready.session_maximum = info.session_maximum;
  ready.sessions = info.sessions;
  return ready;
}

// PIN and token belong to the signers' user, and without its capabilities root is a user like
// others.
Result<void> give_up_rights(const SizingTarget& target) {
  std::optional<ProcessUser> user;
  if (!target.user.empty() && can_switch_user()) {
    LS_TRY(user, find_user(target.user));
    give_login_files(target.login_lock, target.pin_memory, *user);
  }
  LS_CHECK(drop_privileges(user));
  return forbid_core_dumps();
}

Result<void> work() {
  LS_TRY(const std::string line, read_line());
  LS_TRY(const WorkerJob job, parse_job(line));
  LS_TRY(const CaCertificate ca, CaCertificate::load(job.target.ca_certificate));
  // The folder of the corpus is of whoever measures.
  LS_TRY(const std::vector<CorpusCsr> corpus, read_csr_corpus(job.corpus));
  LS_CHECK(give_up_rights(job.target));
  LS_TRY(const SigningToken token, log_in(job, ca));
  LS_TRY(std::vector<SigningLoop> loops, make_loops(job, ca, token, corpus));
  write_line(ready_line(describe(token, ca)));
  LS_TRY(const std::string start, read_line());
  if (start != kStartLine) return fail(ErrorCode::InputInvalid, "not the line that starts a run");
  LS_TRY(const WorkerResult result, run_loops(job, loops));
  write_line(result_line(result));
  return {};
}

}  // namespace

int run_sizing_worker() {
  ignore_terminal_signals();
  const auto done = work();
  if (done || done.error().code() == ErrorCode::ConnectionClosed) return EX_OK;
  write_line(error_line(done.error()));
  return done.error().exit_code();
}

}  // namespace linesign
