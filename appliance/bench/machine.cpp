#include "appliance/bench/machine.h"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <vector>

#include <sched.h>

#include "protocol/base/file.h"
#include "protocol/base/unique_fd.h"

namespace linesign::bench {
namespace {

constexpr size_t kMaxProcFileBytes = 4 * 1024 * 1024;
constexpr uint64_t kBytesPerKib = 1024;
constexpr size_t kTimeColumns = 8;  // user nice system idle iowait irq softirq steal
constexpr size_t kIdleColumn = 3;
constexpr size_t kIoWaitColumn = 4;
constexpr size_t kStealColumn = 7;

std::string read_proc(const char* path) {
  const auto content = read_file(path, kMaxProcFileBytes);
  return content.has_value() ? std::string(as_text(*content)) : std::string();
}

// What follows the first "name" up to the end of its line, without blanks and ':' in front.
std::string_view find_value(std::string_view text, std::string_view name) {
  const size_t found = text.find(name);
  if (found == std::string_view::npos) return {};
  std::string_view rest = text.substr(found + name.size());
  rest = rest.substr(0, rest.find('\n'));
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t:"), rest.size()));
  return rest;
}

uint64_t take_number(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<size_t>(parsed.ptr - text.data()));
  return number;
}

double share(uint64_t part, uint64_t all) {
  return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all);
}

class ScratchFile final {
 public:
  explicit ScratchFile(const std::filesystem::path& folder)
      : path_((folder / "fsync.XXXXXX").string()), fd_(::mkostemp(path_.data(), O_CLOEXEC)) {}
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile() {
    if (fd_) ::unlink(path_.c_str());
  }
  int fd() const { return fd_.get(); }

 private:
  std::string path_;
  UniqueFd fd_;
};

}  // namespace

Machine describe_machine() {
  Machine machine;
  const std::string cpus = read_proc("/proc/cpuinfo");
  const std::string_view model = find_value(cpus, "model name");
  machine.cpu = model.empty() ? "unknown" : std::string(model);
  cpu_set_t usable;
  CPU_ZERO(&usable);
  if (::sched_getaffinity(0, sizeof usable, &usable) == 0) machine.cores = CPU_COUNT(&usable);
  utsname kernel{};
  if (::uname(&kernel) == 0)
    machine.kernel = std::string(kernel.sysname) + " " + kernel.release + " " + kernel.machine;
  const std::string memory = read_proc("/proc/meminfo");
  std::string_view total = find_value(memory, "MemTotal");
  machine.memory_bytes = take_number(total) * kBytesPerKib;
  return machine;
}

MachineTimes read_machine_times() {
  const std::string stat = read_proc("/proc/stat");
  std::string_view line = find_value(stat, "cpu ");
  std::array<uint64_t, kTimeColumns> columns{};
  for (uint64_t& column : columns) column = take_number(line);
  MachineTimes times;
  for (const uint64_t column : columns) times.all += column;
  times.stolen = columns[kStealColumn];
  times.busy = times.all - columns[kIdleColumn] - columns[kIoWaitColumn] - times.stolen;
  return times;
}

MachineLoad load_between(const MachineTimes& before, const MachineTimes& after) {
  const uint64_t all = after.all - before.all;
  return {.busy = share(after.busy - before.busy, all),
          .stolen = share(after.stolen - before.stolen, all)};
}

Result<std::chrono::microseconds> measure_fsync(const std::filesystem::path& folder) {
  constexpr size_t kWrites = 31;
  constexpr std::array<uint8_t, 4096> kPage{};
  const ScratchFile file(folder);
  std::vector<std::chrono::microseconds> times;
  while (times.size() < kWrites) {
    const auto start = std::chrono::steady_clock::now();
    if (::write(file.fd(), kPage.data(), kPage.size()) != static_cast<ssize_t>(kPage.size()) ||
        ::fdatasync(file.fd()) != 0)
      return fail(ErrorCode::Io, folder.string() + ": " + errno_text(errno));
    times.push_back(std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::steady_clock::now() - start));
  }
  std::nth_element(times.begin(), times.begin() + kWrites / 2, times.end());
  return times[kWrites / 2];
}

}  // namespace linesign::bench
