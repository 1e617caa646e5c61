// LogLimit: how often lines that strangers can cause are written: a few for each cause and source,
// then one a minute with the number of those that were left out.
//
// Limits   kMaxLogSources pairs of cause and source are told apart; all others share one. One that
//          is older than a minute makes room, and the line of the one that takes it tells what the
//          old one left out
// Threads  one at a time
#ifndef LINESIGN_PROTOCOL_LOG_LOG_LIMIT_H_
#define LINESIGN_PROTOCOL_LOG_LOG_LIMIT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/clock.h"

namespace linesign {

constexpr size_t kMaxLogSources = 256;
constexpr uint32_t kLogLinesPerMinute = 5;

class LogLimit final {
 public:
  // Borrowed.
  explicit LogLimit(const Clock& clock) : clock_(clock) {}

  // Absent: this line is left out. Else how many were left out since the last one that was written,
  // also of sources that are told apart no more.
  std::optional<uint64_t> admit(std::string_view cause, std::string_view source);

 private:
  struct Window {
    SteadyTime since;
    uint32_t lines = 0;
    uint64_t left_out = 0;
  };

  Window& window_of(std::string_view cause, std::string_view source, SteadyTime now);
  uint64_t forget_old(SteadyTime now);

  const Clock& clock_;
  std::map<std::string, Window, std::less<>> windows_;
};

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_LOG_LOG_LIMIT_H_
