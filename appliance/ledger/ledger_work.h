// LedgerWork: one piece of work for the ledger's thread, and LedgerEvents: what the issuing side
// learns when the ledger is lost and found.
#ifndef LINESIGN_APPLIANCE_LEDGER_LEDGER_WORK_H_
#define LINESIGN_APPLIANCE_LEDGER_LEDGER_WORK_H_

#include <functional>
#include <optional>
#include <vector>

#include "appliance/ledger/ledger.h"
#include "appliance/ledger/priority.h"

namespace linesign {

struct LedgerWork {
  // On the ledger's thread. The error of this piece, if any; anything but kind Refuse ends the
  // transaction.
  std::function<std::optional<Error>(Ledger&)> run;
  std::function<void(const Error* lost)> done;  // on the event loop's thread
  Priority priority = Priority::Normal;
};

// On the event loop's thread.
struct LedgerEvents {
  // Before the `done`s that fail with it; again when the reason changes, as when the disk is full.
  std::function<void(const Error&)> on_lost;
  // The reopened ledger's unfinished intents: the truth about everything that was in doubt.
  std::function<void(std::vector<RecordedIntent>)> on_recovered;
  // The record of the ledger's state, outside of its folder: it cannot be written, or can again.
  std::function<void(const std::optional<Error>&)> on_record = {};
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_LEDGER_LEDGER_WORK_H_
