#include "appliance/cloud/uploader/progress_file.h"

#include <fmt/format.h>

#include "appliance/cloud/manifest/manifest_line.h"
#include "protocol/base/bytes.h"
#include "protocol/base/file.h"

namespace linesign {
namespace {

constexpr mode_t kReadableFile = 0644;  // nothing in it is secret
constexpr std::chrono::seconds kWindow(60);

std::string_view to_text(TargetProgress::State state) {
  switch (state) {
    case TargetProgress::State::Working:
      return "working";
    case TargetProgress::State::Idle:
      return "idle";
    case TargetProgress::State::Held:
      return "held";
    case TargetProgress::State::Ended:
      break;
  }
  return "ended";
}

}  // namespace

double ProgressFile::rate(const TargetReport& report, SteadyTime now) {
  Samples& samples = samples_[report.target];
  samples.emplace_back(now, report.progress.registered);
  while (samples.size() > 2 && now - samples.front().first > kWindow) samples.pop_front();
  const std::chrono::duration<double> time = now - samples.front().first;
  const auto done = report.progress.registered - samples.front().second;
  return time.count() > 0 ? static_cast<double>(done) / time.count() : 0;
}

Result<void> ProgressFile::write(const std::vector<TargetReport>& reports, const Clock& clock) {
  std::string targets;
  for (const TargetReport& each : reports) {
    const auto& hold = each.progress.hold;
    targets += fmt::format(
        R"({}{{"target":{},"state":"{}","since":"{}","error":{},"detail":{},"registered":{},)"
        R"("parked":{},"per_second":{:.2f},"throttled":{}}})",
        targets.empty() ? "" : ",",
        json_text(each.target),
        to_text(each.progress.state),
        to_iso8601(each.progress.since),
        json_text(hold ? error_info(hold->code()).name : ""),
        json_text(hold ? hold->detail() : ""),
        each.progress.registered,
        each.progress.parked,
        rate(each, clock.steady()),
        each.throttled);
  }
  const std::string text =
      fmt::format(R"({{"written_at":"{}","targets":[{}]}})", to_iso8601(clock.now()), targets);
  return write_file_atomic(
      path_, as_bytes(text), kReadableFile, Overwrite::Replace, Durability::Renamed);
}

}  // namespace linesign
