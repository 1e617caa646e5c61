#include "protocol/base/clock.h"

#include <ctime>

#include <fmt/format.h>

namespace linesign {

UnixTime SystemClock::now() const {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

// CLOCK_BOOTTIME also counts the time in which the machine was suspended.
SteadyTime SystemClock::steady() const {
  timespec since_boot{};
  static_cast<void>(::clock_gettime(CLOCK_BOOTTIME, &since_boot));
  return SteadyTime(std::chrono::seconds(since_boot.tv_sec) +
                    std::chrono::nanoseconds(since_boot.tv_nsec));
}

std::string to_iso8601(UnixTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
                     static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()),
                     clock.hours().count(),
                     clock.minutes().count(),
                     clock.seconds().count());
}

}  // namespace linesign
