// GroupCommit::Implementation: the queues, the ledger's thread, and what becomes of a ledger that
// is lost.
//
// Threads  as the members say
#ifndef LINESIGN_APPLIANCE_LEDGER_GROUP_COMMIT_IMPLEMENTATION_H_
#define LINESIGN_APPLIANCE_LEDGER_GROUP_COMMIT_IMPLEMENTATION_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "appliance/ledger/completion_queue.h"
#include "appliance/ledger/group_commit.h"
#include "appliance/ledger/ledger_state_keeper.h"

namespace linesign {

// A piece of work and its callbacks are made and destroyed on the loop's thread only.
class GroupCommit::Implementation final {
 public:
  Implementation(EventLoop& loop,
                 LedgerSettings settings,
                 std::unique_ptr<Ledger> ledger,
                 LedgerEvents events);
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;
  ~Implementation() { close(); }

  void submit(LedgerWork work);
  void close();
  void gather_for(std::chrono::microseconds time);
  GroupCommitCounters counters() const {
    const std::lock_guard lock(mutex_);
    return counters_;
  }
  LedgerSummary last_summary() const {
    const std::lock_guard lock(mutex_);
    return last_summary_;
  }

 private:
  using Items = std::vector<SubmittedWork>;
  static bool is_urgent(const SubmittedWork& item) {
    return item.work.priority == Priority::Urgent;
  }

  // The ledger's thread.
  void run();
  Items wait_for_work();
  void gather(std::unique_lock<std::mutex>& lock);
  void handle(Items items);
  Items refuse_old(Items items);
  Items take_urgent();
  bool may_hurry() const;
  void size_checkpoints();
  std::optional<Error> transact(Items& items);
  std::optional<Error> run_all(Items& items);
  void put_back(Items& items, size_t end);
  // Durable, and all that is in memory is what it says.
  void note_durable();

  // The ledger's thread, group_commit_loss.cpp.
  void look_at_files();
  void lose(Error error, Items items);
  Error rescue(std::unique_ptr<Ledger> ledger, const Error& replaced);
  void rescue_kept();
  void record_now(LedgerState state, bool is_closed);
  void tell_lost(const Error& error);
  void reopen();
  void finish();
  // What callers are told when their work was not done because of something else: come again.
  static Error not_done(const Error& reason);
  static Error in_doubt_or_not_done(const Error& reason);

  using Time = std::chrono::steady_clock::time_point;

  EventLoop* loop_;
  LedgerSettings settings_;
  // The ledger's thread.
  std::unique_ptr<Ledger> ledger_;  // null while lost
  std::unique_ptr<Ledger> kept_;    // lost, but its open files are the only copy
  std::optional<Error> replaced_;   // why `kept_` is
  LedgerState durable_;             // after the last commit that succeeded
  std::optional<Error> lost_;
  uint64_t epoch_ = 0;
  Time next_try_;
  Time gather_until_;
  Time hurry_after_;
  Time short_checkpoints_until_;
  int checkpoint_pages_ = 0;
  bool is_beyond_repair_ = false;  // not to be opened again
  bool is_ending_ = false;
  bool is_hurried_ = false;  // this transaction

  CompletionQueue completions_;
  std::unique_ptr<LedgerStateKeeper> keeper_;  // null without a state file; calls post()
  std::condition_variable wake_;
  mutable std::mutex mutex_;
  std::deque<SubmittedWork> urgent_;  // guarded by mutex_
  std::deque<SubmittedWork> queue_;   // guarded by mutex_
  GroupCommitCounters counters_;      // guarded by mutex_
  LedgerSummary last_summary_;        // guarded by mutex_
  std::atomic<std::chrono::microseconds> gathering_ = std::chrono::microseconds(0);
  bool is_closing_ = false;  // guarded by mutex_
  // !urgent_.empty(), for a look between two pieces of work without the mutex.
  std::atomic<bool> is_urgent_waiting_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_LEDGER_GROUP_COMMIT_IMPLEMENTATION_H_
