// UploadDisplay: what a person sees of an upload that runs in the foreground: a bar on a terminal,
// a plain line every few seconds elsewhere, and a line for each target that is held up.
//
// Threads  safe anywhere
#ifndef LINESIGN_APPLIANCE_CLOUD_UPLOADER_UPLOAD_DISPLAY_H_
#define LINESIGN_APPLIANCE_CLOUD_UPLOADER_UPLOAD_DISPLAY_H_

#include <cstdio>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "protocol/base/clock.h"
#include "protocol/base/error.h"

namespace linesign {

struct UploadCounts {
  uint64_t registered = 0;  // by this run, over all its targets
  uint64_t parked = 0;
  std::optional<uint64_t> waiting;  // absent: linesignd does not answer
  uint64_t throttled = 0;
};

// "[#####.....] 4,512 of 10,000  45 %  7.9/s  12 min left"
std::string upload_line(const UploadCounts& counts, double per_second, size_t bar_width);

class UploadDisplay final {
 public:
  enum class Mode : uint8_t { Bar, Lines };

  // Writes to `screen`, not owned.
  UploadDisplay(Mode mode, std::FILE* screen) : mode_(mode), screen_(screen) {}

  void show(const UploadCounts& counts, SteadyTime now);
  // `hold`: absent when it is over.
  void note(const std::string& target, const std::optional<Error>& hold);
  // The last state, and the end of the bar's line.
  void finish();

 private:
  void draw();
  double rate() const;

  const Mode mode_;
  std::FILE* const screen_;
  std::mutex mutex_;
  UploadCounts counts_;
  std::deque<std::pair<SteadyTime, uint64_t>> history_;  // when how many were done
  SteadyTime next_draw_{};
  bool is_line_open_ = false;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_UPLOADER_UPLOAD_DISPLAY_H_
