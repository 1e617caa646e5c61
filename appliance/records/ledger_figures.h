// How much the ledger holds, and how much it has written since the start.
//
// Threads  plain values
#ifndef LINESIGN_APPLIANCE_RECORDS_LEDGER_FIGURES_H_
#define LINESIGN_APPLIANCE_RECORDS_LEDGER_FIGURES_H_

#include <cstdint>
#include <optional>

#include "protocol/base/clock.h"

namespace linesign {

struct LedgerSummary {
  uint64_t intents = 0;       // open now
  uint64_t certificates = 0;  // ever
  uint64_t voids = 0;         // ever
  std::optional<UnixTime> newest_at;
};

struct GroupCommitCounters {
  uint64_t transactions = 0;  // each is one fsync of the write-ahead log
  uint64_t writes = 0;        // pieces of work in them
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_RECORDS_LEDGER_FIGURES_H_
