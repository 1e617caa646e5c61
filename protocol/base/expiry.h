// Expiry: how long a certificate is still valid, and when that is worth a warning.
//
// Units    whole days, rounded down
// Threads  no state, safe anywhere
#ifndef LINESIGN_PROTOCOL_BASE_EXPIRY_H_
#define LINESIGN_PROTOCOL_BASE_EXPIRY_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "protocol/base/clock.h"

namespace linesign {

// A warning comes when so many days are left, and again at each of them.
constexpr std::array<int64_t, 5> kExpiryWarningDays = {180, 60, 30, 7, 1};

// Below 0 after the end.
int64_t days_left(UnixTime not_after, UnixTime now);

// The warning that is due: the least of kExpiryWarningDays that is reached, 0 after the end. None
// before.
std::optional<int64_t> expiry_warning(UnixTime not_after, UnixTime now);

// "is valid until 2027-01-15T08:00:00Z (12 days left)", "ended at ..."
std::string expiry_text(UnixTime not_after, UnixTime now);

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_BASE_EXPIRY_H_
