#include "hsm/sizing/sizing.h"

#include <algorithm>
#include <system_error>

#include <sched.h>

#include "hsm/signer/startup.h"
#include "hsm/sizing/worker_messages.h"
#include "hsm/sizing/worker_process.h"

namespace linesign {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kLoginLimit(15'000);
constexpr milliseconds kLateLimit(15'000);  // after the end of the run: signatures on their way
constexpr int kMaxProcesses = 256;
constexpr int kMaxThreads = 16;  // as in linesign.toml
constexpr size_t kCorpusCsrs = 512;

Result<void> check_settings(const SizingSettings& settings) {
  const bool fine = settings.processes >= 1 && settings.processes <= kMaxProcesses &&
                    settings.threads >= 1 && settings.threads <= kMaxThreads &&
                    settings.duration >= milliseconds(0);
  if (!fine) return fail(ErrorCode::InputInvalid, "1 to 256 processes, 1 to 16 threads");
  return {};
}

Result<WorkerReady> wait_until_ready(WorkerProcess& worker) {
  LS_TRY(const std::string line, worker.read_line(steady_clock::now() + kLoginLimit));
  return parse_ready(line);
}

// The first worker alone: a wrong PIN costs one try, and it sees who else uses the token.
struct ReadyWorkers {
  WorkerReady first;
  std::vector<WorkerProcess> processes;
};

Result<ReadyWorkers> start_workers(const SizingSettings& settings) {
  const std::string job = job_line({.target = settings.target,
                                    .corpus = settings.corpus,
                                    .threads = settings.threads,
                                    .duration = settings.duration,
                                    .timing = settings.timing});
  ReadyWorkers workers;
  for (int i = 0; i < settings.processes; ++i) {
    LS_TRY(WorkerProcess worker, WorkerProcess::spawn(settings.worker));
    worker.send_line(job);
    workers.processes.push_back(std::move(worker));
    if (i == 0) {
      LS_TRY(workers.first, wait_until_ready(workers.processes.front()));
    }
  }
  for (size_t i = 1; i < workers.processes.size(); ++i)
    LS_CHECK(wait_until_ready(workers.processes[i]));
  return workers;
}

Result<std::vector<WorkerResult>> run_workers(std::vector<WorkerProcess>& workers,
                                              milliseconds duration) {
  for (const WorkerProcess& worker : workers) worker.send_line(kStartLine);
  const SteadyTime deadline = steady_clock::now() + duration + kLateLimit;
  std::vector<WorkerResult> results;
  for (WorkerProcess& worker : workers) {
    LS_TRY(const std::string line, worker.read_line(deadline));
    LS_TRY(const WorkerResult result, parse_result(line));
    results.push_back(result);
  }
  return results;
}

double ratio(double value, double by) { return by > 0 ? value / by : 0; }

SizingStep step_of(const SizingResult& result) {
  SizingStep step;
  step.processes = result.processes;
  step.threads = result.threads;
  step.certificates_per_second = result.certificates_per_second;
  step.certificates_per_cpu_second = result.certificates_per_cpu_second;
  step.cpu_seconds_per_second =
      ratio(result.certificates_per_second, result.certificates_per_cpu_second);
  return step;
}

int usable_cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (::sched_getaffinity(0, sizeof(cores), &cores) != 0) return 1;
  return std::max(CPU_COUNT(&cores), 1);
}

// A file of CSRs, removed again if we made it.
class Corpus final {
 public:
  static Result<Corpus> prepare(const SizingRequest& request) {
    if (!request.corpus.empty()) return Corpus(request.corpus, false);
    const auto file = request.work_folder / "linesign-sizing-csrs.pem";
    CorpusSpec spec;
    spec.device_key = request.device_key;
    spec.count = kCorpusCsrs;
    std::error_code error;
    std::filesystem::remove(file, error);  // of a run that was broken off
    LS_CHECK(write_csr_corpus(file, spec));
    return Corpus(file, true);
  }
  Corpus(Corpus&& other) noexcept
      : file_(std::move(other.file_)), ours_(std::exchange(other.ours_, false)) {}
  Corpus& operator=(Corpus&&) = delete;
  Corpus(const Corpus&) = delete;
  Corpus& operator=(const Corpus&) = delete;
  ~Corpus() {
    std::error_code error;
    if (ours_) std::filesystem::remove(file_, error);
  }
  const std::filesystem::path& file() const { return file_; }

 private:
  Corpus(std::filesystem::path file, bool ours) : file_(std::move(file)), ours_(ours) {}
  std::filesystem::path file_;
  bool ours_;
};

std::optional<uint64_t> sessions_left(const SizingResult& probe) {
  if (!probe.session_maximum) return std::nullopt;
  return *probe.session_maximum - std::min(*probe.session_maximum, probe.sessions_of_others);
}

}  // namespace

Result<SizingTarget> load_sizing_target(const std::filesystem::path& config) {
  LS_TRY(const SignerSettings settings, load_signer_settings(config));
  return SizingTarget{settings.token,
                      settings.ca_certificate,
                      settings.login_lock,
                      settings.pin_memory,
                      settings.sign_timeout,
                      settings.user};
}

SizingTarget sizing_target(const ThrowawayToken& token) {
  return SizingTarget{.token = token.token,
                      .ca_certificate = token.ca_certificate,
                      .login_lock = token.folder / "login.lock"};
}

Result<SizingResult> measure(const SizingSettings& settings) {
  LS_CHECK(check_settings(settings));
  LS_TRY(ReadyWorkers workers, start_workers(settings));
  SizingResult result;
  LS_TRY(result.workers, run_workers(workers.processes, settings.duration));
  result.token = workers.first.token;
  result.ca_key = workers.first.ca_key;
  result.session_maximum = workers.first.session_maximum;
  result.sessions_of_others = workers.first.sessions.value_or(0);
  result.processes = settings.processes;
  result.threads = settings.threads;
  double longest = 0;
  for (const WorkerResult& worker : result.workers) {
    result.certificates += worker.certificates;
    result.cpu_seconds += worker.cpu_seconds;
    longest = std::max(longest, worker.wall_seconds);
  }
  const auto certificates = static_cast<double>(result.certificates);
  result.certificates_per_second = ratio(certificates, longest);
  result.certificates_per_cpu_second = ratio(certificates, result.cpu_seconds);
  return result;
}

Result<SizingReport> size_hsm(const SizingRequest& request,
                              const std::function<void(const SizingStep&)>& on_step) {
  LS_TRY(const Corpus corpus, Corpus::prepare(request));
  SizingSettings settings;
  settings.target = request.target;
  settings.worker = request.worker;
  settings.corpus = corpus.file();
  settings.duration = milliseconds(0);
  // One certificate: what the token says about itself, and that it works at all.
  LS_TRY(const SizingResult probe, measure(settings));
  settings.duration = request.step_duration;
  KneeLimits limits;
  limits.cores = request.cores > 0 ? request.cores : usable_cores();
  limits.max_processes = kMaxProcesses;
  limits.max_threads = kMaxThreads;
  limits.sessions = sessions_left(probe);
  const auto measure_step = [&](int processes, int threads) -> Result<SizingStep> {
    settings.processes = processes;
    settings.threads = threads;
    LS_TRY(const SizingResult result, measure(settings));
    return step_of(result);
  };
  LS_TRY(Knee knee, find_knee(limits, measure_step, on_step));
  SizingReport report;
  report.token = probe.token;
  report.ca_key = probe.ca_key;
  report.cores = limits.cores;
  report.session_maximum = probe.session_maximum;
  report.sessions_of_others = probe.sessions_of_others;
  report.sign_timeout = request.target.sign_timeout;
  report.steps = std::move(knee.steps);
  report.knee = knee.best;
  report.end_reason = std::move(knee.end_reason);
  return report;
}

}  // namespace linesign
