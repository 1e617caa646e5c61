#include "appliance/bench/process_usage.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <system_error>

#include <fmt/format.h>

#include "protocol/base/file.h"

namespace linesign::bench {
namespace {

constexpr size_t kMaxProcessFileBytes = 64 * 1024;
constexpr uint64_t kStatusUnitBytes = 1024;

// Fields of /proc/PID/stat, counted from the state, which follows the name.
constexpr size_t kParentField = 1;
constexpr size_t kUserField = 11;
constexpr size_t kSystemField = 12;
constexpr size_t kReapedUserField = 13;
constexpr size_t kReapedSystemField = 14;

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> fields;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(" \n"), text.size());
    if (end > 0) fields.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return fields;
}

template <typename Number>
Number to_number(std::string_view text) {
  Number number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

double to_seconds(std::string_view ticks) {
  static const auto kTicksPerSecond = static_cast<double>(::sysconf(_SC_CLK_TCK));
  return static_cast<double>(to_number<uint64_t>(ticks)) / kTicksPerSecond;
}

// The name may hold spaces and brackets, so it ends at the last bracket.
Result<ProcessUsage> parse_stat(int pid, std::string_view text) {
  const size_t open = text.find('(');
  const size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open)
    return fail(ErrorCode::Io, fmt::format("/proc/{}/stat: not as proc(5) says", pid));
  const auto fields = split(text.substr(close + 1));
  if (fields.size() <= kReapedSystemField)
    return fail(ErrorCode::Io, fmt::format("/proc/{}/stat: too short", pid));
  ProcessUsage usage;
  usage.pid = pid;
  usage.name = text.substr(open + 1, close - open - 1);
  usage.parent = to_number<int>(fields[kParentField]);
  usage.cpu_seconds = to_seconds(fields[kUserField]) + to_seconds(fields[kSystemField]);
  usage.reaped_cpu_seconds =
      to_seconds(fields[kReapedUserField]) + to_seconds(fields[kReapedSystemField]);
  return usage;
}

// "VmHWM:     12345 kB"; 0 when there is no such line.
uint64_t find_kib(std::string_view status, std::string_view name) {
  const size_t line = status.find(name);
  if (line == std::string_view::npos) return 0;
  std::string_view value = status.substr(line + name.size());
  value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
  return to_number<uint64_t>(value) * kStatusUnitBytes;
}

double whole_cpu(const ProcessUsage& process) {
  return process.cpu_seconds + process.reaped_cpu_seconds;
}

// 0 if it was not there.
double cpu_of(const std::vector<ProcessUsage>& processes, int pid) {
  for (const ProcessUsage& process : processes)
    if (process.pid == pid) return whole_cpu(process);
  return 0;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

double ApplianceUsage::children_cpu_seconds() const {
  double sum = daemon.reaped_cpu_seconds;
  for (const ProcessUsage& child : children) sum += whole_cpu(child);
  return sum;
}

double UsageFigures::cpu_seconds() const {
  double sum = daemon.cpu_seconds + ended_cpu_seconds;
  for (const ProcessFigures& child : children) sum += child.cpu_seconds;
  return sum;
}

UsageFigures usage_between(const ApplianceUsage& before, const ApplianceUsage& after) {
  UsageFigures figures;
  figures.daemon = {.pid = after.daemon.pid,
                    .name = after.daemon.name,
                    .cpu_seconds = after.daemon.cpu_seconds - before.daemon.cpu_seconds,
                    .rss_peak_bytes = after.daemon.rss_peak_bytes};
  double live = 0;
  for (const ProcessUsage& child : after.children) {
    figures.children.push_back(
        {.pid = child.pid,
         .name = child.name,
         .cpu_seconds = whole_cpu(child) - cpu_of(before.children, child.pid),
         .rss_peak_bytes = child.rss_peak_bytes});
    live += figures.children.back().cpu_seconds;
  }
  // Ticks are rounded down in each process.
  figures.ended_cpu_seconds =
      std::max(0.0, after.children_cpu_seconds() - before.children_cpu_seconds() - live);
  return figures;
}

Result<ProcessUsage> read_process_usage(int pid, const std::filesystem::path& proc) {
  const auto folder = proc / std::to_string(pid);
  LS_TRY(const Bytes stat, read_file(folder / "stat", kMaxProcessFileBytes));
  LS_TRY(ProcessUsage usage, parse_stat(pid, as_text(stat)));
  LS_TRY(const Bytes status, read_file(folder / "status", kMaxProcessFileBytes));
  usage.rss_bytes = find_kib(as_text(status), "VmRSS:");
  usage.rss_peak_bytes = find_kib(as_text(status), "VmHWM:");
  return usage;
}

Result<ApplianceUsage> read_appliance_usage(int daemon_pid, const std::filesystem::path& proc) {
  ApplianceUsage usage;
  LS_TRY(usage.daemon, read_process_usage(daemon_pid, proc));
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(proc, error)) {
    const std::string name = entry.path().filename().string();
    if (!is_number(name)) continue;
    // A process may end between the listing and the reading.
    auto process = read_process_usage(to_number<int>(name), proc);
    if (process.has_value() && process->parent == daemon_pid)
      usage.children.push_back(std::move(*process));
  }
  if (error) return fail(ErrorCode::Io, proc.string() + ": " + error.message());
  std::sort(usage.children.begin(), usage.children.end(), [](const auto& a, const auto& b) {
    return a.pid < b.pid;
  });
  return usage;
}

}  // namespace linesign::bench
