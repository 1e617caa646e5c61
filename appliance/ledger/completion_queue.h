// CompletionQueue: takes what came of work from the ledger's thread to the event loop, in order.
//
// Each piece carries the epoch in which the loop submitted it. The ledger's thread begins a new
// epoch when the ledger is lost; the loop learns of it with on_recovered. So whatever was submitted
// before on_recovered has run can be refused, without any race between the two.
//
// Threads  post() on any thread, everything else on the event loop's. What the loop still has to
//          run may outlive this object
#ifndef LINESIGN_APPLIANCE_LEDGER_COMPLETION_QUEUE_H_
#define LINESIGN_APPLIANCE_LEDGER_COMPLETION_QUEUE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "appliance/ledger/ledger_work.h"
#include "protocol/event/event_loop.h"

namespace linesign {

struct SubmittedWork {
  LedgerWork work;
  uint64_t epoch = 0;
  std::optional<Error> own_error = std::nullopt;  // of this piece, if it ended the transaction
};

// The record of the ledger's state: `error` is absent when it can be written again.
struct RecordChange {
  std::optional<Error> error;
};

// Delivered in the order of its members.
struct Completion {
  std::optional<std::vector<RecordedIntent>> recovered = std::nullopt;
  uint64_t epoch = 0;  // of `recovered`
  std::optional<Error> lost = std::nullopt;
  std::optional<RecordChange> record = std::nullopt;
  std::vector<SubmittedWork> items = {};      // each `done` is called...
  std::optional<Error> error = std::nullopt;  // ...with this, if it has no error of its own
};

class CompletionQueue final {
 public:
  CompletionQueue(EventLoop& loop, LedgerEvents events);

  void post(Completion completion);
  // Calls everything that was posted. A callback may come back here; then the inner call goes on
  // where the outer one was.
  void deliver() { deliver(*state_); }
  uint64_t epoch() const;

 private:
  struct State;
  static void deliver(State& state);
  static void deliver_next(State& state);

  EventLoop* loop_;
  std::shared_ptr<State> state_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_LEDGER_COMPLETION_QUEUE_H_
