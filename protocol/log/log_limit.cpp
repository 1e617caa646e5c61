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

// A source that was quiet for a minute and has nothing left to tell makes room for another.
LogLimit::Window& LogLimit::window_of(std::string_view cause,
                                      std::string_view source,
                                      SteadyTime now) {
  std::string key = std::string(cause) + '\n' + std::string(source);
  if (!windows_.contains(key) && windows_.size() >= kMaxLogSources) {
    std::erase_if(windows_, [now](const auto& each) {
      return now - each.second.since >= kWindow && each.second.left_out == 0;
    });
    if (windows_.size() >= kMaxLogSources) key.clear();
  }
  return windows_.try_emplace(std::move(key), Window{.since = now}).first->second;
}

}  // namespace linesign
