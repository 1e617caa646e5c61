#include "protocol/base/progress_display.h"

#include <unistd.h>

#include <cmath>

#include <fmt/format.h>

namespace linesign {
namespace {

constexpr std::chrono::milliseconds kBarEvery(100);
constexpr std::chrono::milliseconds kLineEvery(10'000);
constexpr std::chrono::seconds kRateOver(30);
constexpr size_t kBarWidth = 30;
constexpr int64_t kSecondsPerMinute = 60;
constexpr int64_t kSecondsPerHour = 3600;
constexpr double kWholeRate = 100;  // above it nobody needs a fraction

std::string rate_text(double per_second) {
  if (per_second < kWholeRate) return fmt::format("{:.1f}/s", per_second);
  return grouped(static_cast<uint64_t>(std::llround(per_second))) + "/s";
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

std::string grouped(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t i = digits.size(); i > 3;) digits.insert(i -= 3, ",");
  return digits;
}

std::string progress_line(const Progress& progress, double per_second, size_t bar_width) {
  std::string line;
  if (!progress.left) {
    line = fmt::format("{} done  {}", grouped(progress.done), rate_text(per_second));
  } else {
    const uint64_t left = *progress.left;
    const uint64_t total = progress.done + left;
    const size_t filled = left == 0 ? bar_width : progress.done * bar_width / total;
    if (bar_width > 0)
      line = "[" + std::string(filled, '#') + std::string(bar_width - filled, '.') + "] ";
    line += fmt::format("{} of {}  {} %  {}  {}",
                        grouped(progress.done),
                        grouped(total),
                        left == 0 ? 100 : progress.done * 100 / total,
                        rate_text(per_second),
                        time_left(left, per_second));
  }
  if (!progress.note.empty()) line += "  " + progress.note;
  return line;
}

ProgressDisplay::Mode ProgressDisplay::mode_for(int descriptor) {
  return ::isatty(descriptor) == 1 ? Mode::Bar : Mode::Lines;
}

void ProgressDisplay::show(const Progress& progress, SteadyTime now) {
  const std::lock_guard lock(mutex_);
  progress_ = progress;
  if (mode_ == Mode::Quiet) return;
  history_.emplace_back(now, progress.done - progress.skipped);
  while (history_.size() > 2 && history_.front().first + kRateOver < now) history_.pop_front();
  const bool is_first = next_draw_ == SteadyTime{};
  if (is_first && mode_ == Mode::Lines) next_draw_ = now + kLineEvery;
  if (now < next_draw_) return;
  draw();
  next_draw_ = now + (mode_ == Mode::Bar ? kBarEvery : kLineEvery);
}

double ProgressDisplay::rate() const {
  if (history_.size() < 2) return 0;
  const std::chrono::duration<double> time = history_.back().first - history_.front().first;
  if (time.count() <= 0) return 0;
  return static_cast<double>(history_.back().second - history_.front().second) / time.count();
}

void ProgressDisplay::draw() {
  const bool is_bar = mode_ == Mode::Bar;
  const std::string line = progress_line(progress_, rate(), is_bar ? kBarWidth : 0);
  // "\033[K" clears what a longer line left behind.
  if (is_bar)
    fmt::print(screen_, "\r{}\033[K", line);
  else
    fmt::print(screen_, "{}\n", line);
  static_cast<void>(std::fflush(screen_));  // a screen that is gone stops no work
  is_line_open_ = is_bar;
}

void ProgressDisplay::clear_line() {
  if (is_line_open_) fmt::print(screen_, "\r\033[K");
  is_line_open_ = false;
}

void ProgressDisplay::note(const std::string& sentence) {
  const std::lock_guard lock(mutex_);
  if (mode_ == Mode::Quiet) return;
  clear_line();
  fmt::print(screen_, "{}\n", sentence);
  static_cast<void>(std::fflush(screen_));
}

void ProgressDisplay::clear() {
  const std::lock_guard lock(mutex_);
  clear_line();
  static_cast<void>(std::fflush(screen_));
}

void ProgressDisplay::finish() {
  const std::lock_guard lock(mutex_);
  if (mode_ == Mode::Quiet) return;
  draw();
  if (mode_ == Mode::Bar) fmt::print(screen_, "\n");
  static_cast<void>(std::fflush(screen_));
  is_line_open_ = false;
}

}  // namespace linesign
