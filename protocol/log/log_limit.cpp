#include "protocol/log/log_limit.h"

#include <utility>

namespace linesign {
namespace {

constexpr std::chrono::minutes kWindow{1};

}  // namespace

std::optional<uint64_t> LogLimit::admit(std::string_view cause, std::string_view source) {
  const SteadyTime now = clock_.steady();
  Window& window = window_of(cause, source, now);
  if (now - window.since >= kWindow) {
    window.since = now;
    window.lines = 0;
  }
  if (window.lines >= kLogLinesPerMinute) {
    ++window.left_out;
    return std::nullopt;
  }
  ++window.lines;
  return std::exchange(window.left_out, 0);
}

LogLimit::Window& LogLimit::window_of(std::string_view cause,
                                      std::string_view source,
                                      SteadyTime now) {
  std::string key = std::string(cause) + '\n' + std::string(source);
  uint64_t left_out = 0;
  if (!windows_.contains(key) && windows_.size() >= kMaxLogSources) {
    left_out = forget_old(now);
    if (windows_.size() >= kMaxLogSources) key.clear();
  }
  Window& window = windows_.try_emplace(std::move(key), Window{.since = now}).first->second;
  window.left_out += left_out;
  return window;
}

// What they have left out and not told.
uint64_t LogLimit::forget_old(SteadyTime now) {
  uint64_t left_out = 0;
  std::erase_if(windows_, [&](const auto& each) {
    const Window& window = each.second;
    const bool is_old = now - window.since >= kWindow;
    if (is_old) left_out += window.left_out;
    return is_old;
  });
  return left_out;
}

}  // namespace linesign
