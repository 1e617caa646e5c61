// LedgerLook: what `status` tells of the ledger, also while its thread hangs in a disk or a network
// file system.
//
// Errors   none: what cannot be read is what was last known
// Limits   waits kPatience for the ledger; once that is over, not at all until it answers again
// Threads  the event loop's thread only
#ifndef LINESIGN_APPLIANCE_DAEMON_LEDGER_LOOK_H_
#define LINESIGN_APPLIANCE_DAEMON_LEDGER_LOOK_H_

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "appliance/admin/api/cloud_service.h"
#include "appliance/ledger/group_commit.h"
#include "appliance/records/ledger_figures.h"
#include "protocol/base/clock.h"
#include "protocol/event/event_loop.h"

namespace linesign {

struct LedgerView {
  LedgerSummary summary;
  std::optional<CloudBacklog> backlog = {};
  std::optional<UnixTime> silent_since = {};  // the ledger does not answer
};

class LedgerLook final {
 public:
  // Below the time after which AdminServer gives up, and above that of a slow commit.
  static constexpr std::chrono::milliseconds kPatience{2000};

  // Borrowed; all outlive this object, which outlives the ledger's work.
  LedgerLook(EventLoop& loop,
             const Clock& clock,
             GroupCommit& ledger,
             std::chrono::milliseconds patience = kPatience)
      : loop_(loop), clock_(clock), ledger_(ledger), patience_(patience) {}

  void look(std::function<void(const LedgerView&)> reply);

 private:
  struct Waiting {
    std::function<void(const LedgerView&)> reply;  // empty: it has been called
    UnixTime since;
    std::unique_ptr<Timer> timer;
  };
  LedgerView last_view() const;

  EventLoop& loop_;
  const Clock& clock_;
  GroupCommit& ledger_;
  std::chrono::milliseconds patience_;
  std::optional<UnixTime> silent_since_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_DAEMON_LEDGER_LOOK_H_
