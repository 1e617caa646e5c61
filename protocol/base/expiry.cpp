#include "protocol/base/expiry.h"

#include <fmt/format.h>

namespace linesign {

int64_t days_left(UnixTime not_after, UnixTime now) {
  return std::chrono::floor<std::chrono::days>(not_after - now).count();
}

std::optional<int64_t> expiry_warning(UnixTime not_after, UnixTime now) {
  if (not_after <= now) return 0;
  std::optional<int64_t> due;
  for (const int64_t days : kExpiryWarningDays)
    if (not_after - now <= std::chrono::days(days)) due = days;
  return due;
}

std::string expiry_text(UnixTime not_after, UnixTime now) {
  if (not_after <= now) return fmt::format("ended at {}", to_iso8601(not_after));
  const int64_t days = days_left(not_after, now);
  return fmt::format(
      "is valid until {} ({} day{} left)", to_iso8601(not_after), days, days == 1 ? "" : "s");
}

}  // namespace linesign
