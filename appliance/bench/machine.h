// Machine: on what was measured, and how busy it was meanwhile.
//
// Threads  no state, safe anywhere
// Source   proc(5): /proc/cpuinfo, /proc/meminfo, /proc/stat; uname(2)
#ifndef LINESIGN_APPLIANCE_BENCH_MACHINE_H_
#define LINESIGN_APPLIANCE_BENCH_MACHINE_H_

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include "protocol/base/result.h"

namespace linesign::bench {

struct Machine {
  std::string cpu;  // "unknown" where the kernel does not tell
  int cores = 1;    // that this process may use
  std::string kernel;
  uint64_t memory_bytes = 0;
};

Machine describe_machine();

// Of all cores together, since the machine was started.
struct MachineTimes {
  uint64_t busy = 0;    // doing something
  uint64_t stolen = 0;  // wanted to, but the hypervisor ran somebody else
  uint64_t all = 0;
};

// All zero where it cannot be read.
MachineTimes read_machine_times();

// Shares of the time between two readings, 0 to 1.
struct MachineLoad {
  double busy = 0;
  double stolen = 0;
};
MachineLoad load_between(const MachineTimes& before, const MachineTimes& after);

// The median of some small durable writes in this folder: what a transaction of the ledger waits
// for. Io.
Result<std::chrono::microseconds> measure_fsync(const std::filesystem::path& folder);

}  // namespace linesign::bench

#endif  // LINESIGN_APPLIANCE_BENCH_MACHINE_H_
