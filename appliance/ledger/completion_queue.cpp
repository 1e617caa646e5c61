#include "appliance/ledger/completion_queue.h"

#include <deque>
#include <mutex>
#include <utility>

namespace linesign {

struct CompletionQueue::State {
  struct Entry {
    Completion completion;
    size_t delivered = 0;  // items
    bool is_begun = false;
  };
  std::mutex mutex;
  std::vector<std::shared_ptr<Entry>> posted;  // guarded by mutex
  // The loop's thread.
  std::deque<std::shared_ptr<Entry>> pending;  // taken from `posted`
  LedgerEvents events;
  uint64_t epoch = 0;
};

CompletionQueue::CompletionQueue(EventLoop& loop, LedgerEvents events)
    : loop_(&loop), state_(std::make_shared<State>()) {
  state_->events = std::move(events);
}

uint64_t CompletionQueue::epoch() const { return state_->epoch; }

void CompletionQueue::post(Completion completion) {
  bool is_first = false;
  {
    const std::lock_guard lock(state_->mutex);
    is_first = state_->posted.empty();
    state_->posted.push_back(
        std::make_shared<State::Entry>(State::Entry{.completion = std::move(completion)}));
  }
  if (is_first) loop_->post([state = state_] { deliver(*state); });
}

void CompletionQueue::deliver(State& state) {
  {
    const std::lock_guard lock(state.mutex);
    state.pending.insert(state.pending.end(), state.posted.begin(), state.posted.end());
    state.posted.clear();
  }
  while (!state.pending.empty()) deliver_next(state);
}

// Everything is taken out before it is told, because a callback may come back here.
void CompletionQueue::deliver_next(State& state) {
  const std::shared_ptr<State::Entry> entry = state.pending.front();
  Completion& completion = entry->completion;
  if (!std::exchange(entry->is_begun, true)) {
    if (completion.recovered.has_value()) {
      state.epoch = completion.epoch;
      if (state.events.on_recovered) state.events.on_recovered(std::move(*completion.recovered));
    }
    if (completion.lost.has_value() && state.events.on_lost) state.events.on_lost(*completion.lost);
    if (completion.record.has_value() && state.events.on_record)
      state.events.on_record(completion.record->error);
    return;
  }
  if (entry->delivered == completion.items.size()) {
    state.pending.pop_front();
    return;
  }
  const SubmittedWork item = std::move(completion.items[entry->delivered++]);
  const std::optional<Error>& error =
      item.own_error.has_value() ? item.own_error : completion.error;
  item.work.done(error.has_value() ? &*error : nullptr);
}

}  // namespace linesign
