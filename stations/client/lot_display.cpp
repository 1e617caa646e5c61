#include "stations/client/lot_display.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <sstream>

#include <Poco/JSON/Object.h>
#include <fmt/format.h>

#include "protocol/base/file.h"

namespace linesign::client {
namespace {

constexpr std::chrono::milliseconds kBarEvery{200};
constexpr std::chrono::milliseconds kLineEvery{5000};
constexpr std::chrono::seconds kRateOver{5};
constexpr size_t kBarWidth = 30;

std::string left_text(const LotProgress& progress, double per_second) {
  if (progress.done() >= progress.total) return "done";
  if (per_second <= 0) return "waiting";
  const auto seconds =
      std::llround(static_cast<double>(progress.total - progress.done()) / per_second);
  if (seconds >= 3600) {
    return fmt::format("{}:{:02}:{:02} left", seconds / 3600, seconds / 60 % 60, seconds % 60);
  }
  return fmt::format("{}:{:02} left", seconds / 60, seconds % 60);
}

}  // namespace

std::string grouped(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t i = digits.size(); i > 3;) digits.insert(i -= 3, ",");
  return digits;
}

std::string progress_line(const LotProgress& progress, double per_second, size_t bar_width) {
  const uint64_t total = std::max<uint64_t>(progress.total, 1);
  const uint64_t done = std::min(progress.done(), total);
  std::string line;
  if (bar_width > 0) {
    const auto filled = static_cast<size_t>(done * bar_width / total);
    line = "[" + std::string(filled, '#') + std::string(bar_width - filled, '.') + "] ";
  }
  line += fmt::format("{} of {}  {} %  {}/s  {}",
                      grouped(progress.done()),
                      grouped(progress.total),
                      done * 100 / total,
                      grouped(static_cast<uint64_t>(std::llround(per_second))),
                      left_text(progress, per_second));
  if (progress.refused > 0) line += fmt::format("  {} refused", grouped(progress.refused));
  return line;
}

Result<std::unique_ptr<LotDisplay>> LotDisplay::open(DisplayMode mode,
                                                     const std::filesystem::path& report,
                                                     std::FILE* screen) {
  std::unique_ptr<LotDisplay> display(new LotDisplay(mode, report, screen));
  if (report.empty()) return display;
  display->report_.reset(std::fopen(report.c_str(), "we"));
  if (!display->report_) return fail(ErrorCode::Io, report.string() + ": " + errno_text(errno));
  return display;
}

void LotDisplay::remember(SteadyTime time) {
  // Skipping what is there already is no measure for the rest.
  history_.emplace_back(time, progress_.issued + progress_.refused);
  while (history_.size() > 2 && history_.front().first + kRateOver < time) history_.pop_front();
}

double LotDisplay::rate() const {
  if (history_.size() < 2) return 0;
  const std::chrono::duration<double> time = history_.back().first - history_.front().first;
  if (time.count() <= 0) return 0;
  return static_cast<double>(history_.back().second - history_.front().second) / time.count();
}

void LotDisplay::on_progress(const LotProgress& progress) {
  progress_ = progress;
  if (mode_ == DisplayMode::Quiet) return;
  const SteadyTime time = std::chrono::steady_clock::now();
  if (time < next_draw_) return;
  const bool is_first = next_draw_ == SteadyTime();
  next_draw_ = time + (mode_ == DisplayMode::Bar ? kBarEvery : kLineEvery);
  remember(time);
  // Lines begin when there is something to say.
  if (mode_ == DisplayMode::Bar || !is_first) draw();
}

void LotDisplay::draw() {
  const bool is_bar = mode_ == DisplayMode::Bar;
  const std::string line = progress_line(progress_, rate(), is_bar ? kBarWidth : 0);
  // "\033[K" clears what a longer line left behind.
  if (is_bar)
    fmt::print(screen_, "\r{}\033[K", line);
  else
    fmt::print(screen_, "{}\n", line);
  static_cast<void>(std::fflush(screen_));  // a screen that is gone stops no lot
  is_line_open_ = is_bar;
}

void LotDisplay::on_refused(const LotOutcome& outcome) {
  if (!report_ || !outcome.error) return;
  Poco::JSON::Object object(Poco::JSON_PRESERVE_KEY_ORDER);
  object.set("device", outcome.device_id);
  object.set("source", outcome.origin);
  object.set("code", static_cast<int>(outcome.error->code()));
  object.set("name", std::string(error_info(outcome.error->code()).name));
  object.set("message", outcome.error->to_string());
  std::ostringstream text;
  object.stringify(text);
  fmt::print(report_.get(), "{}\n", text.str());
}

void LotDisplay::on_note(const std::string& sentence) {
  if (mode_ == DisplayMode::Quiet) return;
  fmt::print(screen_, "{}{}\n", is_line_open_ ? "\r\033[K" : "", sentence);
  static_cast<void>(std::fflush(screen_));  // a screen that is gone stops no lot
  is_line_open_ = false;
}

Result<void> LotDisplay::finish() {
  if (mode_ == DisplayMode::Bar) {
    remember(std::chrono::steady_clock::now());
    draw();
    fmt::print(screen_, "\n");
    is_line_open_ = false;
  }
  if (!report_) return {};
  const bool had_error = std::ferror(report_.get()) != 0;
  if (std::fclose(report_.release()) != 0 || had_error)
    return fail(ErrorCode::Io, report_path_.string() + ": " + errno_text(errno));
  return {};
}

}  // namespace linesign::client
