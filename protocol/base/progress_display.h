// ProgressDisplay: what a person sees of a long command: a bar on a terminal, a plain line every
// ten seconds elsewhere.
//
// Threads  safe anywhere
#ifndef LINESIGN_PROTOCOL_BASE_PROGRESS_DISPLAY_H_
#define LINESIGN_PROTOCOL_BASE_PROGRESS_DISPLAY_H_

#include <cstdint>
#include <cstdio>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "protocol/base/clock.h"

namespace linesign {

struct Progress {
  uint64_t done = 0;
  std::optional<uint64_t> left;  // absent: not known, and then there is no bar
  std::string note = {};         // at the end of the line
  uint64_t skipped = 0;          // of `done`, what was there before: no measure for the rest
};

// 1234567 is "1,234,567".
std::string grouped(uint64_t number);

// "[#####.....] 4,512 of 10,000  45 %  7.9/s  12 min left", or "4,512 done  3,200/s"
std::string progress_line(const Progress& progress, double per_second, size_t bar_width);

class ProgressDisplay final {
 public:
  enum class Mode : uint8_t { Bar, Lines, Quiet };
  // Bar if it is a terminal.
  static Mode mode_for(int descriptor);

  // Writes to `screen`, not owned.
  ProgressDisplay(Mode mode, std::FILE* screen) : mode_(mode), screen_(screen) {}

  void show(const Progress& progress, SteadyTime now);
  // A sentence of its own, above the bar.
  void note(const std::string& sentence);
  // Takes the bar away until it is shown again, for what is written to the same terminal.
  void clear();
  // The last state, and the end of the bar's line.
  void finish();

 private:
  void draw();
  void clear_line();
  double rate() const;

  const Mode mode_;
  std::FILE* const screen_;
  std::mutex mutex_;
  Progress progress_;
  std::deque<std::pair<SteadyTime, uint64_t>> history_;  // when how much was done
  SteadyTime next_draw_{};
  bool is_line_open_ = false;
};

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_BASE_PROGRESS_DISPLAY_H_
