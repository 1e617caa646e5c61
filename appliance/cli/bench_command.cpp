// linesign bench: how many certificates an appliance makes on this machine, and what the rest of
// the figures say about it. linesign bench hsm: how many signers an HSM is worth.
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include <fmt/format.h>

#include "appliance/bench/bench.h"
#include "appliance/cli/bench_options.h"
#include "appliance/cli/invocation.h"
#include "hsm/sizing/sizing.h"
#include "protocol/base/file.h"

namespace linesign {
namespace {

constexpr int kExitRefused = 65;
constexpr int kExitBug = 70;
constexpr int kExitTryLater = 75;
constexpr uint32_t kDefaultWindow = 256;  // of linesign.toml
constexpr uint32_t kSpareSessions = 64;

// A result that is not what was asked for must not pass for one.
int exit_code_of(const bench::BenchReport& report) {
  const bench::LoadResult& load = report.load;
  if (load.interrupted || load.is_stalled) return kExitTryLater;
  if (!load.refused.empty() || (load.lone && !load.lone->refused.empty())) return kExitRefused;
  return report.ledger_certificates < load.all_certificates ? kExitBug : 0;
}

Result<void> check_options(const BenchOptions& options, bool is_running) {
  if (options.stations == 0 && !options.lone)
    return fail(ErrorCode::Usage, "--stations 0 makes sense with --lone only");
  if (options.stations == 0 && options.lot > 0)
    return fail(ErrorCode::Usage, "--lot needs stations; --seconds says how long");
  if (!is_running) return {};
  if (!options.real_certificates || options.order.empty())
    return fail(ErrorCode::Usage,
                "with --config the bench uses an appliance that runs: its certificates are real, "
                "count against an order and stay in the ledger. If that is what you want, say "
                "--order ORDER --real-certificates");
  if (!options.csr_cache.empty())
    return fail(ErrorCode::Usage, "--csr-cache is for an appliance of the bench's own");
  return {};
}

Result<bench::BenchSettings> settings_from(const Invocation& invocation,
                                           const BenchOptions& options) {
  const bool is_running = options.config->count() > 0;
  LS_CHECK(check_options(options, is_running));
  bench::BenchSettings settings;
  if (is_running) settings.running = {invocation.config, options.order};
  LS_TRY(const std::filesystem::path self, own_program());
  settings.plant.folder = options.directory;
  settings.plant.linesignd = self.parent_path() / "linesignd";
  settings.plant.module = options.module;
  LS_TRY(settings.plant.ca_key, key_type_of(options.ca_key));
  settings.plant.signers = options.signers;
  settings.plant.threads_per_signer = options.threads_per_signer;
  settings.plant.window = std::max(options.window, kDefaultWindow);
  settings.plant.max_sessions = std::max(options.stations + kSpareSessions, 2048U);
  LS_TRY(settings.device_key, key_type_of(options.device_key));
  settings.csr_cache = options.csr_cache;
  settings.stations = options.stations;
  settings.window = options.window;
  settings.lot = options.lot;
  settings.warm_up = to_milliseconds(options.warm_up);
  settings.duration = to_milliseconds(options.seconds);
  settings.hammering = options.hammer->count() == 0 ? 0
                       : options.hammering == 0     ? options.stations
                                                    : options.hammering;
  settings.lone = options.lone;
  settings.lone_interval = std::chrono::milliseconds(options.lone_interval_ms);
  settings.ceiling_duration = to_milliseconds(options.no_ceiling ? 0 : options.ceiling_seconds);
  settings.sizing_worker = {self.string(), "bench", "worker"};
  return settings;
}

Result<int> run(const Invocation& invocation, const BenchOptions& options) {
  LS_TRY(bench::BenchSettings settings, settings_from(invocation, options));
  LS_TRY(const UniqueFd signals, catch_signals());
  settings.cancel_descriptor = settings.plant.cancel_descriptor = signals.get();
  BenchDisplay display(options.quiet);
  auto report = bench::run_bench(settings, display);
  display.finish();
  if (!report.has_value()) return fail(std::move(report).error());
  std::cout << (options.json ? bench::report_json(*report) + '\n' : bench::report_text(*report));
  return exit_code_of(*report);
}

// Not for people: what measure() starts.
Result<int> run_worker() {
  std::cout.flush();
  ::_exit(run_sizing_worker());
}

}  // namespace

void add_bench_command(CLI::App& app, Invocation& invocation) {
  CLI::App* bench = app.add_subcommand(
      "bench", "Measure an appliance: one in an empty folder, or with --config one that runs");
  bench->require_subcommand(0, 1);
  auto options = std::make_shared<BenchOptions>();
  options->config = app.get_option("--config");
  add_bench_options(*bench, *options);
  bench->callback([bench, &invocation, options] {
    if (!bench->get_subcommands().empty()) return;  // its own callback was called
    invocation.run = [&invocation, options] { return run(invocation, *options); };
  });
  add_bench_hsm_command(*bench, invocation, options->config);
  CLI::App* worker = bench->add_subcommand("worker", "")->group("");
  worker->callback([&invocation] { invocation.run = run_worker; });
}

}  // namespace linesign
