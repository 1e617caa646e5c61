// Knee: steps through numbers of processes and threads until more sessions bring no more.
//
// First processes, one per core: they share no locks. Then threads in each, which only help where
// the HSM has a latency to cover. Then more processes, because a process has at most 16 sessions
// worth having. The number of sessions doubles from step to step. It ends when two steps in a row
// were less than 5 % better than the best before them, or at a limit.
//
// Threads  no state, safe anywhere
#ifndef LINESIGN_HSM_SIZING_KNEE_H_
#define LINESIGN_HSM_SIZING_KNEE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "protocol/base/result.h"

namespace linesign {

struct SizingStep {
  int processes = 0;
  int threads = 0;  // per process
  double certificates_per_second = 0;
  double certificates_per_cpu_second = 0;
  double cpu_seconds_per_second = 0;  // cores in use
};

struct KneeLimits {
  int cores = 1;
  int max_processes = 256;
  int max_threads = 16;              // per process
  std::optional<uint64_t> sessions;  // that the token has left; a process uses threads + 1
};

struct Knee {
  std::vector<SizingStep> steps;  // never empty
  size_t best = 0;                // the fewest sessions that reach 95 % of the highest throughput
  std::string end_reason;
};

using MeasureStep = std::function<Result<SizingStep>(int processes, int threads)>;

// An error of the first step is the result's; an error of a later one ends the steps and is named
// in end_reason, because a token may have a limit that it does not tell. A refused PIN is always
// the result: it is not tried again. `on_step` may be empty.
Result<Knee> find_knee(const KneeLimits& limits,
                       const MeasureStep& measure,
                       const std::function<void(const SizingStep&)>& on_step);

// The next step after `processes` and `threads`, absent at the limits. {0, 0} gives the first.
struct ProcessesAndThreads {
  int processes = 0;
  int threads = 0;
  bool operator==(const ProcessesAndThreads&) const = default;
};
std::optional<ProcessesAndThreads> next_step(const KneeLimits& limits, ProcessesAndThreads last);

}  // namespace linesign

#endif  // LINESIGN_HSM_SIZING_KNEE_H_
