#include "appliance/cli/bench_options.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <vector>

#include <fmt/format.h>

#include "protocol/base/file.h"

namespace linesign {
namespace {

constexpr uint32_t kMaxStations = 10'000;
constexpr uint32_t kMaxWindow = 65'536;
constexpr uint64_t kMaxLot = 10'000'000;
constexpr double kMaxSeconds = 86'400;
constexpr size_t kBarWidth = 30;
constexpr std::chrono::milliseconds kBarEvery(200);
constexpr std::chrono::milliseconds kLineEvery(5000);

void add_load_options(CLI::App& bench, BenchOptions& options) {
  bench.add_option("--stations", options.stations, "Stations, each with a connection")
      ->capture_default_str()
      ->check(CLI::Range(0U, kMaxStations))
      ->type_name("N");
  bench.add_option("--window", options.window, "Requests of a station on their way at once")
      ->capture_default_str()
      ->check(CLI::Range(1U, kMaxWindow))
      ->type_name("N");
  CLI::Option* lot = bench.add_option("--lot", options.lot, "Requests of each station")
                         ->check(CLI::Range(uint64_t{1}, kMaxLot))
                         ->type_name("N");
  bench.add_option("--warm-up", options.warm_up, "Seconds under load before it is measured")
      ->capture_default_str()
      ->check(CLI::Range(0.0, kMaxSeconds))
      ->excludes(lot)
      ->type_name("S");
  bench.add_option("--seconds", options.seconds, "How long it is measured")
      ->capture_default_str()
      ->check(CLI::Range(0.1, kMaxSeconds))
      ->excludes(lot)
      ->type_name("S");
  bench.add_flag("--lone", options.lone, "One more station that asks now and then");
  bench
      .add_option("--lone-interval", options.lone_interval_ms, "Milliseconds between its requests")
      ->capture_default_str()
      ->check(CLI::Range(1U, 3'600'000U))
      ->type_name("MS");
  options.hammer = bench
                       .add_option("--hammer",
                                   options.hammering,
                                   "So many stations (all, without a number) send again at once "
                                   "when they are told to come later")
                       ->expected(0, 1)
                       ->check(CLI::Range(0U, kMaxStations))
                       ->type_name("N");
}

void add_appliance_options(CLI::App& bench, BenchOptions& options) {
  bench
      .add_option("--dir", options.directory, "Empty or absent; stays. Default: a temporary folder")
      ->type_name("DIR");
  add_key_option(bench, "--ca-key", options.ca_key, "The CA's key");
  add_key_option(bench, "--device-key", options.device_key, "The devices' keys");
  bench.add_option("--csr-cache", options.csr_cache, "Keep the CSRs in this file and use it again")
      ->type_name("FILE");
  bench.add_option("--module", options.module, "SoftHSM2's PKCS#11 module, or one that wraps it")
      ->capture_default_str()
      ->type_name("PATH");
  bench.add_option("--signers", options.signers, "Signer processes; 0: one for each core")
      ->capture_default_str()
      ->check(CLI::Range(0, 256))
      ->type_name("N");
  bench.add_option("--threads-per-signer", options.threads_per_signer, "Threads in each of them")
      ->capture_default_str()
      ->check(CLI::Range(1, 16))
      ->type_name("N");
  bench.add_option("--order", options.order, "With --config: the order to charge")
      ->type_name("ORDER");
  bench.add_flag("--real-certificates",
                 options.real_certificates,
                 "With --config: I know that these certificates are real");
}

std::string bar(uint64_t done, uint64_t total) {
  const auto filled = static_cast<size_t>(std::min(done, total) * kBarWidth / total);
  return "[" + std::string(filled, '#') + std::string(kBarWidth - filled, '.') + "]";
}

}  // namespace

CLI::Option* add_key_option(CLI::App& command,
                            const std::string& name,
                            std::string& value,
                            const std::string& description) {
  const std::vector<std::string> names(kKeyTypeNames.begin(), kKeyTypeNames.end());
  return command.add_option(name, value, description)
      ->capture_default_str()
      ->check(CLI::IsMember(names))
      ->type_name("TYPE");
}

Result<KeyType> key_type_of(std::string_view name) {
  const auto* const found = std::find(kKeyTypeNames.begin(), kKeyTypeNames.end(), name);
  if (found == kKeyTypeNames.end()) return fail(ErrorCode::Usage, std::string(name));
  return static_cast<KeyType>(found - kKeyTypeNames.begin());
}

std::chrono::milliseconds to_milliseconds(double seconds) {
  constexpr double kMilli = 1000;
  return std::chrono::milliseconds(std::llround(seconds * kMilli));
}

void add_bench_options(CLI::App& bench, BenchOptions& options) {
  add_load_options(bench, options);
  add_appliance_options(bench, options);
  bench.add_flag("--no-ceiling", options.no_ceiling, "Do not measure the ceiling, and no ratios");
  bench.add_option("--ceiling-seconds", options.ceiling_seconds, "How long, before and after each")
      ->capture_default_str()
      ->check(CLI::Range(0.1, kMaxSeconds))
      ->type_name("S");
  bench.add_flag("--quiet", options.quiet, "Only the report");
  bench.add_flag("--json", options.json, "Print JSON");
}

Result<std::filesystem::path> own_program() {
  std::error_code error;
  std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return fail(ErrorCode::Internal, "/proc/self/exe: " + error.message());
  return self;
}

Result<UniqueFd> catch_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGINT);
  ::sigaddset(&signals, SIGTERM);
  const int error_number = ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  if (error_number != 0) return fail(ErrorCode::Internal, errno_text(error_number));
  UniqueFd fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return fail(ErrorCode::Internal, "signalfd: " + errno_text(errno));
  return fd;
}

BenchDisplay::BenchDisplay(bool quiet)
    : is_quiet_(quiet), is_terminal_(::isatty(STDERR_FILENO) == 1) {}

void BenchDisplay::on_phase(std::string_view what) {
  if (is_quiet_) return;
  finish();
  fmt::print(stderr, "{}\n", what);
  next_draw_ = std::chrono::steady_clock::now() + (is_terminal_ ? kBarEvery : kLineEvery);
}

void BenchDisplay::on_progress(uint64_t done, uint64_t total, std::string_view note) {
  const SteadyTime now = std::chrono::steady_clock::now();
  if (is_quiet_ || total == 0 || now < next_draw_) return;
  next_draw_ = now + (is_terminal_ ? kBarEvery : kLineEvery);
  const uint64_t percent = std::min(done, total) * 100 / total;
  if (is_terminal_) {
    fmt::print(stderr, "\r  {} {} % {}\033[K", bar(done, total), percent, note);
    is_line_open_ = true;
  } else {
    fmt::print(stderr, "  {} % {}\n", percent, note);
  }
}

void BenchDisplay::finish() {
  if (is_line_open_) fmt::print(stderr, "\n");
  is_line_open_ = false;
}

}  // namespace linesign
