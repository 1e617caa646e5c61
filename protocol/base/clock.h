// Clock: the two times that linesign uses, so that tests can bring their own.
//
// Units    UnixTime: seconds since 1970-01-01T00:00:00Z, no leap seconds (RFC 5280 validity)
// Threads  SystemClock is safe anywhere
#ifndef LINESIGN_PROTOCOL_BASE_CLOCK_H_
#define LINESIGN_PROTOCOL_BASE_CLOCK_H_

#include <chrono>
#include <string>

namespace linesign {

using UnixTime = std::chrono::sys_seconds;
using SteadyTime = std::chrono::steady_clock::time_point;

class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;

  virtual UnixTime now() const = 0;       // the calendar; may jump
  virtual SteadyTime steady() const = 0;  // for durations; never jumps
};

class SystemClock final : public Clock {
 public:
  UnixTime now() const override;
  SteadyTime steady() const override;
};

// "2026-01-31T23:59:59Z"
std::string to_iso8601(UnixTime time);

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_BASE_CLOCK_H_
