// GroupCommit: one thread that owns the ledger and puts the work of many requests into one fsync.
//
// Whatever is waiting when the thread is free becomes one transaction; a lone request does not wait
// for company. After one with several pieces the thread gathers the next for the time that
// gather_for() set. `work` runs inside the transaction on the ledger's thread; `done` runs on the
// event loop's thread, after the commit is durable, in the order of submission, the urgent ones
// first.
//
// Urgent work overtakes the rest: a transaction that has begun takes it in and ends soon after, and
// what it did not come to goes into the next one. Only every other transaction, and at most once
// in 3 ms, so that a crowd in a hurry is still a crowd that shares an fsync and others get on.
// While urgent work comes, checkpoints are short.
//
// Errors   `work` refuses (kind Refuse): only its own `done` hears of it. Any other error of a
//          `work` ends the transaction: that piece gets its error, all others LedgerUnavailable,
//          and nothing of it is kept. A failed commit: every `done` gets LedgerCommitUnknown.
//          Then the ledger is closed, and opened again and again (at once, then every 0.3 s) until
//          that succeeds; on_recovered comes before any new work. What is submitted in between is
//          answered at once with LedgerUnavailable. LedgerCorrupt and LedgerReplaced are not tried
//          again: they take a person. No piece of work is ever run twice
// Files    looked at after each commit, every second without one, and before they are closed. When
//          they are gone, every committed row is put where it stays (Ledger::rescue); when that
//          fails, they stay open, and it is tried again every 3 s and at the close
// Limits   1024 pieces in a transaction, and the urgent ones that came while it ran; 25 ms of
//          gathering, at first none
// Threads  write() and close() on the event loop's thread
#ifndef LINESIGN_APPLIANCE_LEDGER_GROUP_COMMIT_H_
#define LINESIGN_APPLIANCE_LEDGER_GROUP_COMMIT_H_

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "appliance/ledger/ledger_work.h"
#include "appliance/records/ledger_figures.h"
#include "protocol/event/event_loop.h"

namespace linesign {

class GroupCommit final {
 public:
  // Takes the ledger over and starts the thread.
  static std::unique_ptr<GroupCommit> start(EventLoop& loop,
                                            LedgerSettings settings,
                                            std::unique_ptr<Ledger> ledger,
                                            LedgerEvents events);
  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;
  ~GroupCommit();  // close()

  // Two functions, because a piece of work has a result of its own type that `done` receives.
  template <typename T>
  void write(std::function<Result<T>(Ledger&)> work,
             std::function<void(Result<T>)> done,
             Priority priority = Priority::Normal) {
    auto result = std::make_shared<std::optional<Result<T>>>();
    submit({.run = [work = std::move(work), result](Ledger& ledger) -> std::optional<Error> {
              result->emplace(work(ledger));
              if ((*result)->has_value()) return std::nullopt;
              return (*result)->error();
            },
            .done =
                [done = std::move(done), result](const Error* lost) {
                  if (lost != nullptr) {
                    done(fail(*lost));
                  } else {
                    done(std::move(**result));
                  }
                },
            .priority = priority});
  }

  // How long a crowd may be gathered: what requests can wait without leaving the signers idle.
  void gather_for(std::chrono::microseconds time);

  GroupCommitCounters counters() const;
  // After the last commit that succeeded: what is told while the ledger is lost.
  LedgerSummary last_summary() const;

  // Finishes what was submitted and calls its `done`s before it returns, closes the ledger, joins
  // the thread. Work that comes later is answered through the loop with Draining. Idempotent.
  void close();

 private:
  class Implementation;
  explicit GroupCommit(std::unique_ptr<Implementation> implementation);
  void submit(LedgerWork work);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_LEDGER_GROUP_COMMIT_H_
