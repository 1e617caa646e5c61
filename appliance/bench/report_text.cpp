#include <fmt/format.h>

#include "appliance/bench/bench_report.h"

namespace linesign::bench {
namespace {

constexpr double kMib = 1024.0 * 1024.0;
constexpr double kGib = 1024.0 * kMib;

std::string line(std::string_view name, std::string_view value) {
  return fmt::format("{:<26}{}\n", name, value);
}

std::string milliseconds(std::chrono::microseconds time) {
  return fmt::format("{:.1f}", std::chrono::duration<double, std::milli>(time).count());
}

std::string latency_text(const LatencySummary& latency) {
  return fmt::format("p50 {}  p90 {}  p99 {}  p99.9 {}  max {} ms  ({} answers)",
                     milliseconds(latency.p50),
                     milliseconds(latency.p90),
                     milliseconds(latency.p99),
                     milliseconds(latency.p999),
                     milliseconds(latency.max),
                     latency.count);
}

std::string counts_text(const AnswerCounts& counts) {
  std::string text;
  for (const auto& [name, count] : counts)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, count);
  return text.empty() ? "none" : text;
}

std::string machine_text(const BenchReport& report) {
  const Machine& machine = report.machine;
  std::string text = line("machine",
                          fmt::format("{}, {} cores, {:.1f} GiB, {}",
                                      machine.cpu,
                                      machine.cores,
                                      static_cast<double>(machine.memory_bytes) / kGib,
                                      machine.kernel));
  text += line("busy during the load",
               fmt::format("{:.0f} %, {:.1f} % taken away by the hypervisor",
                           report.machine_load.busy * 100,
                           report.machine_load.stolen * 100));
  if (report.fsync.count() > 0)
    text += line("one durable write", fmt::format("{} ms", milliseconds(report.fsync)));
  return text;
}

std::string setup_text(const BenchSetup& setup) {
  return line("appliance", setup.appliance) +
         line("keys",
              fmt::format(
                  "CA {}, devices {}", to_string(setup.ca_key), to_string(setup.device_key))) +
         line("signers",
              fmt::format("{} with {} threads each", setup.signers, setup.threads_per_signer)) +
         line("stations",
              fmt::format("{} with a window of {}{}",
                          setup.stations,
                          setup.window,
                          setup.lot > 0 ? fmt::format(", {} requests each", setup.lot) : ""));
}

std::string group_text(std::string_view name, const GroupResult& group) {
  if (group.stations == 0) return {};
  return line(name,
              fmt::format("{} stations got {} to {} certificates each, the last after {:.2f} s",
                          group.stations,
                          group.least,
                          group.most,
                          std::chrono::duration<double>(group.last_certificate).count()));
}

std::string process_text(const ProcessFigures& process) {
  return line(fmt::format("  {} {}", process.name, process.pid),
              fmt::format("{:.2f} s, at most {:.0f} MiB",
                          process.cpu_seconds,
                          static_cast<double>(process.rss_peak_bytes) / kMib));
}

std::string cpu_text(const BenchReport& report) {
  std::string text =
      line("CPU of the appliance", fmt::format("{:.2f} s", report.usage.cpu_seconds()));
  text += process_text(report.usage.daemon);
  for (const ProcessFigures& child : report.usage.children) text += process_text(child);
  if (report.usage.ended_cpu_seconds > 0)
    text += line("  signers that ended", fmt::format("{:.2f} s", report.usage.ended_cpu_seconds));
  return text +
         line("CPU of the stations", fmt::format("{:.2f} s", report.load_generator_cpu_seconds));
}

std::string ceiling_text(std::string_view name, const std::optional<CeilingFigures>& ceiling) {
  if (!ceiling) return {};
  return line(name,
              fmt::format("{:.0f} certificates/s, {:.0f} per CPU-second ({} processes, {} threads)",
                          ceiling->certificates_per_second,
                          ceiling->certificates_per_cpu_second,
                          ceiling->processes,
                          ceiling->threads));
}

std::string ratio_text(std::string_view name, const std::optional<double>& ratio) {
  if (!ratio) return {};
  return line(name, fmt::format("{:.3f} of the ceiling", *ratio));
}

}  // namespace

std::string report_text(const BenchReport& report) {
  const LoadResult& load = report.load;
  std::string text = machine_text(report) + setup_text(report.setup) + '\n';
  text += line("certificates",
               fmt::format("{} in {:.2f} s", report.certificates(), report.wall_seconds()));
  text += line("per second", fmt::format("{:.0f}", report.certificates_per_second()));
  text += line("per CPU-second", fmt::format("{:.0f}", report.certificates_per_cpu_second()));
  text +=
      line("fsyncs per certificate", fmt::format("{:.4f}", report.transactions_per_certificate()));
  text += line("latency", latency_text(load.latency));
  if (load.lone) text += line("lone station", latency_text(load.lone->latency));
  text += line("told to come later", counts_text(load.later));
  text += group_text(load.hammering.stations > 0 ? "stations that obey" : "shares", load.obeying);
  text += group_text("stations that hammer", load.hammering);
  text += '\n' + cpu_text(report);
  if (report.ceiling()) text += '\n';
  text += ceiling_text("ceiling before", report.ceiling_before);
  text += ceiling_text("ceiling after", report.ceiling_after);
  text += ratio_text("per CPU-second", report.cpu_ratio());
  text += ratio_text("per second", report.wall_ratio());
  for (const std::string& remark : report.remarks()) text += line("note", remark);
  return text;
}

}  // namespace linesign::bench
