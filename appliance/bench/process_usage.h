// ProcessUsage: what linesignd and its children have used up of the machine so far.
//
// A signer that ended counts on: the kernel adds the time of a child that was waited for to its
// parent's. So the total never goes back, whoever is replaced.
//
// Units    seconds of CPU time (user and system, steps of 10 ms); bytes
// Errors   Io: no such process, or /proc cannot be read
// Threads  no state, safe anywhere
// Source   proc(5): /proc/PID/stat, /proc/PID/status
#ifndef LINESIGN_APPLIANCE_BENCH_PROCESS_USAGE_H_
#define LINESIGN_APPLIANCE_BENCH_PROCESS_USAGE_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace linesign::bench {

struct ProcessUsage {
  int pid = 0;
  int parent = 0;
  std::string name;
  double cpu_seconds = 0;         // its own
  double reaped_cpu_seconds = 0;  // of its children that have ended
  uint64_t rss_bytes = 0;         // now
  uint64_t rss_peak_bytes = 0;    // ever
};

struct ApplianceUsage {
  ProcessUsage daemon;
  std::vector<ProcessUsage> children;  // alive, by pid

  double children_cpu_seconds() const;  // dead ones included
  double cpu_seconds() const { return daemon.cpu_seconds + children_cpu_seconds(); }
};

// What was used between two readings.
struct ProcessFigures {
  int pid = 0;
  std::string name;
  double cpu_seconds = 0;
  uint64_t rss_peak_bytes = 0;  // ever
};
struct UsageFigures {
  ProcessFigures daemon;
  std::vector<ProcessFigures> children;  // alive at the second reading
  double ended_cpu_seconds = 0;          // of those that were not

  double cpu_seconds() const;
};
// REQUIRES: both are of the same daemon.
UsageFigures usage_between(const ApplianceUsage& before, const ApplianceUsage& after);

Result<ProcessUsage> read_process_usage(int pid, const std::filesystem::path& proc = "/proc");
Result<ApplianceUsage> read_appliance_usage(int daemon_pid,
                                            const std::filesystem::path& proc = "/proc");

}  // namespace linesign::bench

#endif  // LINESIGN_APPLIANCE_BENCH_PROCESS_USAGE_H_
