#include <fmt/format.h>

#include "hsm/sizing/flat_json.h"
#include "hsm/sizing/sizing.h"

namespace linesign {
namespace {

constexpr const char* kRow = "{:>9} {:>8} {:>9} {:>15} {:>8} {:>15} {:>11}\n";
constexpr double kMillisecondsPerSecond = 1000;

// What a certificate costs one session.
double milliseconds_each(const SizingStep& step) {
  if (step.certificates_per_second <= 0) return 0;
  return step.processes * step.threads * kMillisecondsPerSecond / step.certificates_per_second;
}

// A signer that works alone shows what the HSM takes for a signature.
std::string timeout_text(const SizingReport& report) {
  const double alone = milliseconds_each(report.steps.front());
  const auto limit = static_cast<double>(report.sign_timeout.count());
  if (alone * 2 <= limit || report.sign_timeout.count() == 0) return {};
  return fmt::format(
      "WARNING: a signature takes {:.0f} ms, more than half of sign_timeout ({:.0f} "
      "ms) in [hsm]: raise it\n",
      alone,
      limit);
}

std::string sessions_text(const SizingReport& report) {
  if (!report.session_maximum) return "the token names no limit of sessions";
  return fmt::format("the token grants {} sessions, {} of them were in use",
                     *report.session_maximum,
                     report.sessions_of_others);
}

std::string step_json(const SizingStep& step) {
  return fmt::format(
      R"({{"processes":{},"threads":{},"certificates_per_second":{:.1f},)"
      R"("milliseconds_each":{:.2f},"certificates_per_cpu_second":{:.1f},"cores_busy":{:.2f}}})",
      step.processes,
      step.threads,
      step.certificates_per_second,
      milliseconds_each(step),
      step.certificates_per_cpu_second,
      step.cpu_seconds_per_second);
}

}  // namespace

std::string sizing_config_lines(const SizingReport& report) {
  const SizingStep& knee = report.steps[report.knee];
  return fmt::format(
      "[hsm]\nsigners = {}\nthreads_per_signer = {}\n", knee.processes, knee.threads);
}

std::string sizing_head_text() {
  return fmt::format(kRow,
                     "processes",
                     "threads",
                     "sessions",
                     "certificates/s",
                     "ms each",
                     "per CPU-second",
                     "cores busy");
}

std::string sizing_step_text(const SizingStep& step) {
  return fmt::format(kRow,
                     step.processes,
                     step.threads,
                     step.processes * (step.threads + 1),
                     fmt::format("{:.0f}", step.certificates_per_second),
                     fmt::format("{:.2f}", milliseconds_each(step)),
                     fmt::format("{:.0f}", step.certificates_per_cpu_second),
                     fmt::format("{:.2f}", step.cpu_seconds_per_second));
}

std::string sizing_end_text(const SizingReport& report) {
  const SizingStep& knee = report.steps[report.knee];
  return fmt::format(
      "\ntoken {}, CA key {}, {} cores; {}\n{}no further step: {}\n"
      "the fewest sessions within 5 % of the highest: {} certificates/s with\n\n{}",
      report.token,
      to_string(report.ca_key),
      report.cores,
      sessions_text(report),
      timeout_text(report),
      report.end_reason,
      static_cast<uint64_t>(knee.certificates_per_second),
      sizing_config_lines(report));
}

std::string sizing_text(const SizingReport& report) {
  std::string text = sizing_head_text();
  for (const SizingStep& step : report.steps) text += sizing_step_text(step);
  return text + sizing_end_text(report);
}

std::string sizing_json(const SizingReport& report) {
  std::string steps;
  for (const SizingStep& step : report.steps) steps += (steps.empty() ? "" : ",") + step_json(step);
  const SizingStep& knee = report.steps[report.knee];
  return fmt::format(
      R"({{"token":{},"ca_key":"{}","cores":{},"session_maximum":{},"sessions_of_others":{},)"
      R"("steps":[{}],"knee":{},"end_reason":{},"signers":{},"threads_per_signer":{}}})",
      flat_json_text(report.token),
      to_string(report.ca_key),
      report.cores,
      report.session_maximum ? std::to_string(*report.session_maximum) : "null",
      report.sessions_of_others,
      steps,
      report.knee,
      flat_json_text(report.end_reason),
      knee.processes,
      knee.threads);
}

}  // namespace linesign
