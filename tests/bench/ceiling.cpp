// linesign_ceiling: how many certificates this machine can make when it does nothing else.
//
//   linesign_ceiling [--key P-256|P-384|RSA-2048|all] [--device-key P-256|RSA-2048]
//                    [--processes 1,2,...|cores] [--threads N] [--seconds S] [--module PATH]
//                    [--steps] [--json]
//
// Parse, proof of possession, check, build, sign through PKCS#11 in a throwaway SoftHSM2 token,
// verify, assemble: the product's own code, with nothing around it. The program starts itself as
// its worker processes. `linesign bench` measures the appliance against these figures.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sched.h>
#include <sysexits.h>

#include "hsm/sizing/sizing.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

constexpr const char* kWorkerFlag = "--worker";
constexpr const char* kRow = "{:<8} {:>9} {:>8} {:>15} {:>15} {:>12}\n";

struct Options {
  std::vector<KeyType> ca_keys = {KeyType::EcP256, KeyType::EcP384, KeyType::Rsa2048};
  KeyType device_key = KeyType::EcP256;
  std::vector<int> processes;
  int threads = 1;
  double seconds = 3;
  std::filesystem::path module = ThrowawaySettings{}.module;
  bool steps = false;
  bool json = false;
};

int usable_cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  return ::sched_getaffinity(0, sizeof(cores), &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

std::vector<int> default_processes() {
  std::vector<int> processes;
  const int cores = usable_cores();
  for (int count = 1; count < cores; count *= 2) processes.push_back(count);
  processes.push_back(cores);
  return processes;
}

double micros(std::chrono::nanoseconds time, uint64_t certificates) {
  return std::chrono::duration<double, std::micro>(time).count() /
         static_cast<double>(certificates);
}

// Microseconds of each step of one certificate, over all workers.
std::vector<double> step_micros(const SizingResult& result) {
  std::vector<double> steps;
  for (size_t i = 0; i < kSizingStepNames.size(); ++i) {
    std::chrono::nanoseconds sum{};
    for (const WorkerResult& worker : result.workers) sum += worker.steps[i];
    steps.push_back(micros(sum, result.certificates));
  }
  return steps;
}

void print_head() {
  fmt::print(
      kRow, "CA key", "processes", "threads", "certificates/s", "per CPU-second", "CPU us each");
}

void print_row(const SizingResult& result, const Options& options) {
  fmt::print(kRow,
             to_string(result.ca_key),
             result.processes,
             result.threads,
             fmt::format("{:.0f}", result.certificates_per_second),
             fmt::format("{:.0f}", result.certificates_per_cpu_second),
             fmt::format("{:.1f}", 1e6 / result.certificates_per_cpu_second));
  if (options.steps) {
    const std::vector<double> steps = step_micros(result);
    fmt::print("  us:");
    for (size_t i = 0; i < steps.size(); ++i)
      fmt::print(" {} {:.1f}", kSizingStepNames[i], steps[i]);
    fmt::print("\n");
  }
  std::fflush(stdout);
}

std::string row_json(const SizingResult& result, const Options& options) {
  std::string steps;
  const std::vector<double> times = step_micros(result);
  for (size_t i = 0; options.steps && i < times.size(); ++i)
    steps += fmt::format(R"({}"{}":{:.2f})", i == 0 ? "" : ",", kSizingStepNames[i], times[i]);
  return fmt::format(
      R"({{"ca_key":"{}","device_key":"{}","processes":{},"threads":{},"certificates":{},)"
      R"("certificates_per_second":{:.1f},"cpu_seconds":{:.3f},)"
      R"("certificates_per_cpu_second":{:.1f}{}}})",
      to_string(result.ca_key),
      to_string(options.device_key),
      result.processes,
      result.threads,
      result.certificates,
      result.certificates_per_second,
      result.cpu_seconds,
      result.certificates_per_cpu_second,
      steps.empty() ? "" : fmt::format(R"(,"step_us":{{{}}})", steps));
}

// One token, all numbers of processes.
Result<void> measure_key(const Options& options,
                         KeyType ca_key,
                         const std::filesystem::path& folder,
                         std::vector<SizingResult>& results) {
  LS_TRY(const ThrowawayToken token,
         make_throwaway_token({.folder = folder / std::string(to_string(ca_key)),
                               .ca_key = ca_key,
                               .module = options.module}));
  SizingSettings settings;
  settings.target = sizing_target(token);
  settings.worker = {"/proc/self/exe", kWorkerFlag};
  settings.corpus = folder / "csrs.pem";
  settings.threads = options.threads;
  settings.duration = std::chrono::milliseconds(static_cast<int64_t>(options.seconds * 1000));
  settings.timing = options.steps ? StepTiming::On : StepTiming::Off;
  for (const int processes : options.processes) {
    settings.processes = processes;
    LS_TRY(SizingResult result, measure(settings));
    if (!options.json) print_row(result, options);
    results.push_back(std::move(result));
  }
  return remove_throwaway_token(token);
}

Result<void> measure_all(const Options& options) {
  const TempDir folder;
  CorpusSpec corpus;
  corpus.device_key = options.device_key;
  LS_CHECK(write_csr_corpus(folder.path() / "csrs.pem", corpus));
  if (!options.json) print_head();
  std::vector<SizingResult> results;
  for (const KeyType ca_key : options.ca_keys)
    LS_CHECK(measure_key(options, ca_key, folder.path(), results));
  if (!options.json) return {};
  std::string rows;
  for (const SizingResult& result : results)
    rows += (rows.empty() ? "" : ",") + row_json(result, options);
  fmt::print("[{}]\n", rows);
  return {};
}

KeyType key_named(const std::string& name) {
  const auto* row = std::ranges::find(kKeyTypeNames, name);
  return static_cast<KeyType>(row - kKeyTypeNames.begin());
}

int run(int argc, char** argv) {
  CLI::App app("The ceiling: certificates per second of this machine and SoftHSM2.",
               "linesign_ceiling");
  Options options;
  options.processes = default_processes();
  std::string key = "all";
  std::string device_key = "P-256";
  const std::vector<std::string> keys(kKeyTypeNames.begin(), kKeyTypeNames.end());
  std::vector<std::string> keys_or_all = keys;
  keys_or_all.emplace_back("all");
  app.add_option("--key", key, "the CA's key")->check(CLI::IsMember(keys_or_all));
  app.add_option("--device-key", device_key, "the keys in the CSRs")->check(CLI::IsMember(keys));
  app.add_option("--processes", options.processes, "numbers of processes, such as 1,2,4")
      ->delimiter(',')
      ->check(CLI::Range(1, 256));
  app.add_option("--threads", options.threads, "per process")->check(CLI::Range(1, 16));
  app.add_option("--seconds", options.seconds, "of each row")->check(CLI::Range(0.1, 3600.0));
  app.add_option("--module", options.module, "a module that wraps SoftHSM2's");
  app.add_flag("--steps", options.steps, "the time of each step, too");
  app.add_flag("--json", options.json, "for programs");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EX_OK : EX_USAGE;
  }
  if (key != "all") options.ca_keys = {key_named(key)};
  options.device_key = key_named(device_key);
  const auto done = measure_all(options);
  if (done) return EX_OK;
  fmt::print(stderr, "linesign_ceiling: {}\n", done.error().to_string());
  return done.error().exit_code();
}

}  // namespace
}  // namespace linesign

int main(int argc, char** argv) {
  if (argc == 2 && std::string(argv[1]) == linesign::kWorkerFlag)
    ::_exit(linesign::run_sizing_worker());
  return linesign::run(argc, argv);
}
