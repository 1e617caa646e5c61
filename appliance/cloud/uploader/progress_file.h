// ProgressFile: what the uploader is doing, for `linesign aws status`.
//
// Shape    state_dir/progress.json: {"written_at", "targets": [{"target", "state", "since",
//          "error": "NAME" or "", "detail", "registered", "parked", "per_second",
//          "throttled"}]}; state is "working", "idle", "held" or "ended"; the counts are since the
//          start, per_second over the last minute
// Threads  one
#ifndef LINESIGN_APPLIANCE_CLOUD_UPLOADER_PROGRESS_FILE_H_
#define LINESIGN_APPLIANCE_CLOUD_UPLOADER_PROGRESS_FILE_H_

#include <deque>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "appliance/cloud/aws/rate_limiter.h"
#include "appliance/cloud/registration/target_loop.h"

namespace linesign {

struct TargetReport {
  std::string target;
  TargetProgress progress;
  uint64_t throttled = 0;
};

class ProgressFile final {
 public:
  explicit ProgressFile(const std::filesystem::path& state_dir)
      : path_(state_dir / "progress.json") {}

  // Replaces the file; a reader sees all of it.
  Result<void> write(const std::vector<TargetReport>& reports, const Clock& clock);

 private:
  double rate(const TargetReport& report, SteadyTime now);

  const std::filesystem::path path_;
  using Samples = std::deque<std::pair<SteadyTime, uint64_t>>;
  std::map<std::string, Samples> samples_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_UPLOADER_PROGRESS_FILE_H_
