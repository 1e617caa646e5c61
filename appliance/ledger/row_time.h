// Times as the ledger's INTEGER columns have them.
//
// Units    seconds since 1970-01-01T00:00:00Z
#ifndef LINESIGN_APPLIANCE_LEDGER_ROW_TIME_H_
#define LINESIGN_APPLIANCE_LEDGER_ROW_TIME_H_

#include <cstdint>

#include "protocol/base/clock.h"

namespace linesign {

inline int64_t to_seconds(UnixTime time) { return time.time_since_epoch().count(); }
inline UnixTime to_unix_time(int64_t seconds) { return UnixTime(std::chrono::seconds(seconds)); }

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_LEDGER_ROW_TIME_H_
