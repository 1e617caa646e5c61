#include "hsm/sizing/knee.h"

#include <algorithm>

#include <fmt/format.h>

namespace linesign {
namespace {

constexpr double kWorthIt = 1.05;   // a step below it brought nothing
constexpr double kAsGoodAs = 0.95;  // of the highest throughput: fewer sessions are better
constexpr int kFruitlessSteps = 2;

uint64_t sessions_of(ProcessesAndThreads step) {
  return static_cast<uint64_t>(step.processes) * (static_cast<uint64_t>(step.threads) + 1);
}

bool fits(const KneeLimits& limits, ProcessesAndThreads step) {
  return step.processes <= limits.max_processes && step.threads <= limits.max_threads &&
         (!limits.sessions || sessions_of(step) <= *limits.sessions);
}

// With as few processes changed as possible: processes to the cores, threads to their limit, then
// processes again.
ProcessesAndThreads wanted_after(const KneeLimits& limits, ProcessesAndThreads last) {
  if (last.processes == 0) return {1, 1};
  if (last.threads == 1 && last.processes < limits.cores)
    return {std::min(last.processes * 2, limits.cores), 1};
  if (last.threads < limits.max_threads)
    return {last.processes, std::min(last.threads * 2, limits.max_threads)};
  return {last.processes * 2, last.threads};
}

// What is left of a step that is too large. Absent: no more than the last one had.
std::optional<ProcessesAndThreads> cut_to_limits(const KneeLimits& limits,
                                                 ProcessesAndThreads wanted,
                                                 ProcessesAndThreads last) {
  ProcessesAndThreads cut{std::min(wanted.processes, limits.max_processes),
                          std::min(wanted.threads, limits.max_threads)};
  while (!fits(limits, cut) && cut.threads > 1) --cut.threads;
  while (!fits(limits, cut) && cut.processes > 1) --cut.processes;
  const bool more = cut.processes * cut.threads > last.processes * last.threads;
  if (!fits(limits, cut) || !more) return std::nullopt;
  return cut;
}

size_t choose(const std::vector<SizingStep>& steps) {
  double highest = 0;
  for (const SizingStep& step : steps) highest = std::max(highest, step.certificates_per_second);
  size_t best = 0;
  while (steps[best].certificates_per_second < kAsGoodAs * highest) ++best;
  return best;
}

}  // namespace

std::optional<ProcessesAndThreads> next_step(const KneeLimits& limits, ProcessesAndThreads last) {
  const ProcessesAndThreads wanted = wanted_after(limits, last);
  if (fits(limits, wanted)) return wanted;
  return cut_to_limits(limits, wanted, last);
}

Result<Knee> find_knee(const KneeLimits& limits,
                       const MeasureStep& measure,
                       const std::function<void(const SizingStep&)>& on_step) {
  Knee knee;
  double highest = 0;
  int fruitless = 0;
  ProcessesAndThreads at;
  while (fruitless < kFruitlessSteps) {
    const auto next = next_step(limits, at);
    if (!next) break;
    at = *next;
    auto step = measure(at.processes, at.threads);
    if (!step) {
      if (knee.steps.empty() || step.error().code() == ErrorCode::HsmPinRefused)
        return fail(step.error());
      knee.end_reason = fmt::format("{} processes x {} threads failed: {}",
                                    at.processes,
                                    at.threads,
                                    step.error().to_string());
      break;
    }
    if (on_step) on_step(*step);
    fruitless = step->certificates_per_second < kWorthIt * highest ? fruitless + 1 : 0;
    highest = std::max(highest, step->certificates_per_second);
    knee.steps.push_back(*step);
  }
  if (knee.steps.empty())
    return fail(ErrorCode::HsmUnavailable,
                "the token does not have the two sessions that one signer needs");
  if (fruitless >= kFruitlessSteps) {
    knee.end_reason = "two steps in a row brought less than 5 % more";
  } else if (knee.end_reason.empty()) {
    knee.end_reason = "the limit of processes or sessions is reached";
  }
  knee.best = choose(knee.steps);
  return knee;
}

}  // namespace linesign
