// BenchOptions: what `linesign bench` and `linesign bench hsm` have in common: options, signals,
// and what a person sees meanwhile.
//
// Errors   Usage, Internal
// Threads  the main thread
#ifndef LINESIGN_APPLIANCE_CLI_BENCH_OPTIONS_H_
#define LINESIGN_APPLIANCE_CLI_BENCH_OPTIONS_H_

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include "appliance/bench/bench.h"
#include "appliance/cli/invocation.h"
#include "hsm/x509/key_type.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "protocol/base/unique_fd.h"

namespace linesign {

struct BenchOptions {
  const CLI::Option* config = nullptr;  // --config of the program
  std::string directory;
  std::string order;
  bool real_certificates = false;
  uint32_t stations = 16;
  uint32_t window = 64;
  uint64_t lot = 0;
  double warm_up = 1;
  double seconds = 10;
  std::string ca_key = "P-256";
  std::string device_key = "P-256";
  std::string csr_cache;
  std::string module = "/usr/lib/softhsm/libsofthsm2.so";
  int signers = 0;
  int threads_per_signer = 1;
  bool lone = false;
  uint32_t lone_interval_ms = 1000;
  const CLI::Option* hammer = nullptr;
  uint32_t hammering = 0;  // 0 where --hammer came without a number
  bool no_ceiling = false;
  double ceiling_seconds = 3;
  bool quiet = false;
  bool json = false;
};

void add_bench_options(CLI::App& bench, BenchOptions& options);
void add_bench_hsm_command(CLI::App& bench, Invocation& invocation, const CLI::Option* config);

// REQUIRES: `name` is one of kKeyTypeNames, as add_key_option() sees to.
Result<KeyType> key_type_of(std::string_view name);
CLI::Option* add_key_option(CLI::App& command,
                            const std::string& name,
                            std::string& value,
                            const std::string& description);
std::chrono::milliseconds to_milliseconds(double seconds);

// This program, absolute.
Result<std::filesystem::path> own_program();

// SIGINT and SIGTERM as a descriptor that becomes readable. REQUIRES: no other thread runs yet, so
// that all threads inherit the mask.
Result<UniqueFd> catch_signals();

// On stderr: a bar on a terminal, a line every few seconds elsewhere.
class BenchDisplay final : public bench::BenchObserver {
 public:
  explicit BenchDisplay(bool quiet);
  void on_phase(std::string_view what) override;
  void on_progress(uint64_t done, uint64_t total, std::string_view note) override;
  void finish();  // ends the bar's line

 private:
  bool is_quiet_;
  bool is_terminal_;
  bool is_line_open_ = false;
  SteadyTime next_draw_{};
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLI_BENCH_OPTIONS_H_
