// ClockEvent: the system clock was doubted, was right again, or an operator confirmed it.
//
// Threads  plain values
#ifndef LINESIGN_APPLIANCE_RECORDS_CLOCK_EVENT_H_
#define LINESIGN_APPLIANCE_RECORDS_CLOCK_EVENT_H_

#include <cstdint>
#include <optional>

#include "protocol/base/clock.h"

namespace linesign {

enum class ClockEventKind : uint8_t { Doubted = 1, Resumed = 2, Confirmed = 3 };  // on disk: keep

struct ClockEvent {
  ClockEventKind kind = ClockEventKind::Doubted;
  UnixTime clock_at{};  // what the clock said
  UnixTime
      trusted_at{};  // Doubted: the newest from before; Confirmed: clock_at; Resumed: the later
};

// What the ledger knows of the time.
struct LedgerTime {
  // Of the newest intent, or what the last event trusted if it is younger than that intent.
  std::optional<UnixTime> newest_at;
  std::optional<ClockEvent> last_event;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_RECORDS_CLOCK_EVENT_H_
