#include "appliance/cloud/uploader/upload_display.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace linesign {
namespace {

constexpr std::chrono::seconds kDisplayLineEvery(10);
constexpr std::chrono::seconds kRateOver(30);
constexpr size_t kUploadBarWidth = 30;
constexpr int64_t kSecondsPerMinute = 60;
constexpr int64_t kSecondsPerHour = 3600;

std::string grouped(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t i = digits.size(); i > 3;) digits.insert(i -= 3, ",");
  return digits;
}

std::string time_left(uint64_t waiting, double per_second) {
  if (waiting == 0) return "done";
  if (per_second <= 0) return "waiting";
  const int64_t seconds = std::llround(static_cast<double>(waiting) / per_second);
  if (seconds >= kSecondsPerHour)
    return fmt::format("{} h {} min left",
                       seconds / kSecondsPerHour,
                       seconds / kSecondsPerMinute % kSecondsPerMinute);
  if (seconds >= kSecondsPerMinute) return fmt::format("{} min left", seconds / kSecondsPerMinute);
  return fmt::format("{} s left", seconds);
}

}  // namespace

std::string upload_line(const UploadCounts& counts, double per_second, size_t bar_width) {
  const uint64_t done = counts.registered + counts.parked;
  std::string line;
  if (!counts.waiting) {
    line = fmt::format("{} done; linesignd does not answer", grouped(done));
  } else {
    const uint64_t total = std::max<uint64_t>(done + *counts.waiting, 1);
    const size_t filled = *counts.waiting == 0 ? bar_width : done * bar_width / total;
    if (bar_width > 0)
      line = "[" + std::string(filled, '#') + std::string(bar_width - filled, '.') + "] ";
    line += fmt::format("{} of {}  {} %  {:.1f}/s  {}",
                        grouped(done),
                        grouped(done + *counts.waiting),
                        *counts.waiting == 0 ? 100 : done * 100 / total,
                        per_second,
                        time_left(*counts.waiting, per_second));
  }
  if (counts.parked > 0) line += fmt::format("  {} parked", grouped(counts.parked));
  if (counts.throttled > 0) line += fmt::format("  throttled {}×", grouped(counts.throttled));
  return line;
}

void UploadDisplay::show(const UploadCounts& counts, SteadyTime now) {
  const std::lock_guard lock(mutex_);
  counts_ = counts;
  history_.emplace_back(now, counts.registered + counts.parked);
  while (history_.size() > 2 && history_.front().first + kRateOver < now) history_.pop_front();
  const bool is_first = next_draw_ == SteadyTime{};
  if (mode_ == Mode::Bar) {
    draw();
  } else if (!is_first && now >= next_draw_) {
    draw();
    next_draw_ = now + kDisplayLineEvery;
  }
  if (is_first) next_draw_ = now + kDisplayLineEvery;
}

double UploadDisplay::rate() const {
  if (history_.size() < 2) return 0;
  const std::chrono::duration<double> time = history_.back().first - history_.front().first;
  if (time.count() <= 0) return 0;
  return static_cast<double>(history_.back().second - history_.front().second) / time.count();
}

void UploadDisplay::draw() {
  const bool is_bar = mode_ == Mode::Bar;
  const std::string line = upload_line(counts_, rate(), is_bar ? kUploadBarWidth : 0);
  // "\033[K" clears what a longer line left behind.
  if (is_bar)
    fmt::print(screen_, "\r{}\033[K", line);
  else
    fmt::print(screen_, "{}\n", line);
  static_cast<void>(std::fflush(screen_));  // a screen that is gone stops no upload
  is_line_open_ = is_bar;
}

void UploadDisplay::note(const std::string& target, const std::optional<Error>& hold) {
  const std::lock_guard lock(mutex_);
  fmt::print(screen_,
             "{}{}: {}\n",
             is_line_open_ ? "\r\033[K" : "",
             target,
             hold ? "held up: " + hold->to_string() : "goes on");
  static_cast<void>(std::fflush(screen_));
  is_line_open_ = false;
}

void UploadDisplay::finish() {
  const std::lock_guard lock(mutex_);
  draw();
  if (mode_ == Mode::Bar) fmt::print(screen_, "\n");
  static_cast<void>(std::fflush(screen_));
  is_line_open_ = false;
}

}  // namespace linesign
