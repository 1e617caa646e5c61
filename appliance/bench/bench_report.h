// BenchReport: all figures of one run, and the ratios that follow from them.
//
// Units    seconds of wall or CPU time; a ratio of 1 is the ceiling
// Threads  plain data
#ifndef LINESIGN_APPLIANCE_BENCH_BENCH_REPORT_H_
#define LINESIGN_APPLIANCE_BENCH_BENCH_REPORT_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "appliance/bench/load_result.h"
#include "appliance/bench/machine.h"
#include "appliance/bench/process_usage.h"
#include "hsm/sizing/sizing.h"

namespace linesign::bench {

// What was asked for, as far as it explains the figures.
struct BenchSetup {
  std::string appliance;  // the folder of the plant, or the configuration of a running appliance
  std::string token;
  KeyType ca_key = KeyType::EcP256;
  KeyType device_key = KeyType::EcP256;
  uint32_t stations = 0;
  uint32_t window = 0;
  uint64_t lot = 0;  // of each station; 0: for a time
  uint32_t signers = 0;
  int threads_per_signer = 1;
};

// The loop without an appliance around it, on the same token, just before or after the load.
struct CeilingFigures {
  int processes = 0;
  int threads = 1;
  double certificates_per_second = 0;
  double certificates_per_cpu_second = 0;
};

struct BenchReport {
  std::string version;
  Machine machine;
  MachineLoad machine_load;           // during the load
  std::chrono::microseconds fsync{};  // of the disk with the ledger; 0: not known
  BenchSetup setup;
  LoadResult load;
  UsageFigures usage;  // its children are the signers
  double load_generator_cpu_seconds = 0;
  // From before the first request to after the last answer.
  uint64_t signer_restarts = 0;
  uint64_t transactions = 0;         // of the ledger, each one fsync
  uint64_t ledger_certificates = 0;  // new in the ledger
  std::optional<CeilingFigures> ceiling_before;
  std::optional<CeilingFigures> ceiling_after;

  double wall_seconds() const;
  uint64_t certificates() const;  // the lone station's included
  double certificates_per_second() const;
  double certificates_per_cpu_second() const;
  double transactions_per_certificate() const;
  // Of the ceilings before and after, their mean; absent without one.
  std::optional<CeilingFigures> ceiling() const;
  std::optional<double> cpu_ratio() const;
  std::optional<double> wall_ratio() const;
  // Of the machine's time during the load, what neither the appliance nor its stations used.
  double others_share() const;
  // What a reader of the figures has to know: empty if nothing went wrong.
  std::vector<std::string> remarks() const;
};

// For a person at a terminal; ends with a newline.
std::string report_text(const BenchReport& report);
// One JSON object without a newline; its members are those of the text. See docs/performance.md.
std::string report_json(const BenchReport& report);

}  // namespace linesign::bench

#endif  // LINESIGN_APPLIANCE_BENCH_BENCH_REPORT_H_
