// StatusText: what the appliance says of itself, for a person at a terminal.
//
// Threads  no state, safe anywhere
#ifndef LINESIGN_APPLIANCE_CLI_STATUS_TEXT_H_
#define LINESIGN_APPLIANCE_CLI_STATUS_TEXT_H_

#include <string>
#include <vector>

#include "appliance/admin/api/admin_service.h"
#include "protocol/base/clock.h"

namespace linesign {

// First line: "producing since ..." or "NOT producing since ...: why". Then obstacles with what to
// do about them, then the figures. Ends with a newline.
std::string status_text(const ApplianceStatus& status, UnixTime now);

// One line per station under a head line. Ends with a newline.
std::string stations_text(const std::vector<StationListEntry>& stations, UnixTime now);

// "35 s", "12 min", "3 h 5 min", "2 d 4 h". A negative duration is "0 s".
std::string elapsed_text(std::chrono::seconds elapsed);

// 1234567 is "1,234,567".
std::string count_text(uint64_t count);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLI_STATUS_TEXT_H_
