#include "appliance/ledger/group_commit.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "appliance/ledger/completion_queue.h"
#include "appliance/ledger/ledger_state_keeper.h"

namespace linesign {
namespace {

// A transaction takes what is waiting, but not for ever.
constexpr size_t kMaxWorkPerTransaction = 1024;
// So many pieces in one transaction are a crowd: the next one gathers company for a moment, which
// saves most of the fsyncs under load. A lone request makes two pieces, one after the other.
constexpr size_t kCrowd = 4;
constexpr size_t kFullHouse = 384;  // no need to wait for more
constexpr std::chrono::milliseconds kMaxGathering(25);
constexpr std::chrono::milliseconds kHurryInterval(3);
// What a hurried transaction may do besides the urgent work: about a millisecond's worth.
constexpr size_t kHurriedWork = 32;
// While urgent work comes and for some time after it, because the first short one has to move what
// came together for a long one.
constexpr int kShortCheckpointPages = 500;
constexpr std::chrono::seconds kShortCheckpoints(10);
constexpr std::chrono::milliseconds kReopenInterval(300);
constexpr std::chrono::seconds kLookInterval(1);  // at the open files, without a commit

// What callers are told when their work was not done because of something else: come again.
Error not_done(const Error& reason) {
  if (reason.kind() == ErrorKind::Retry && reason.code() != ErrorCode::LedgerCommitUnknown)
    return reason;
  return Error(ErrorCode::LedgerUnavailable, reason.to_string());
}

// A failed commit leaves open whether it is there, and so do files that are gone.
Error in_doubt_or_not_done(const Error& reason) {
  if (reason.code() == ErrorCode::LedgerCommitUnknown) return reason;
  if (reason.code() == ErrorCode::LedgerReplaced)
    return Error(ErrorCode::LedgerCommitUnknown, reason.to_string());
  return not_done(reason);
}

bool takes_a_person(ErrorCode code) {
  return code == ErrorCode::LedgerCorrupt || code == ErrorCode::LedgerReplaced;
}

}  // namespace

// A piece of work and its callbacks are made and destroyed on the loop's thread only.
class GroupCommit::Implementation final {
 public:
  Implementation(EventLoop& loop,
                 LedgerSettings settings,
                 std::unique_ptr<Ledger> ledger,
                 LedgerEvents events)
      : loop_(&loop),
        settings_(std::move(settings)),
        ledger_(std::move(ledger)),
        completions_(loop, std::move(events)) {
    durable_ = ledger_->state();
    last_summary_ = ledger_->summary().value_or(LedgerSummary{});
    if (!settings_.state_file.empty())
      keeper_ = std::make_unique<LedgerStateKeeper>(
          settings_.state_file, [this](const std::optional<Error>& error) {
            completions_.post({.record = RecordChange{error}});
          });
    thread_ = std::thread([this] { run(); });
  }
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;
  ~Implementation() { close(); }

  void submit(LedgerWork work);
  void close();
  void gather_for(std::chrono::microseconds time) {
    gathering_.store(std::min<std::chrono::microseconds>(time, kMaxGathering),
                     std::memory_order_relaxed);
  }
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
  void look_at_files();
  void lose(Error error, Items items);
  Error rescue(const Error& error);
  void reopen();
  void finish();

  using Time = std::chrono::steady_clock::time_point;

  EventLoop* loop_;
  LedgerSettings settings_;
  // The ledger's thread.
  std::unique_ptr<Ledger> ledger_;  // null while lost
  std::unique_ptr<Ledger> kept_;    // lost, but its open files are the only copy
  LedgerState durable_;             // after the last commit that succeeded
  std::optional<Error> lost_;
  uint64_t epoch_ = 0;
  Time next_try_;
  Time gather_until_;
  Time hurry_after_;
  Time short_checkpoints_until_;
  int checkpoint_pages_ = 0;
  bool is_beyond_repair_ = false;
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

void GroupCommit::Implementation::submit(LedgerWork work) {
  {
    std::unique_lock lock(mutex_);
    if (!is_closing_) {
      const bool is_urgent = work.priority == Priority::Urgent;
      std::deque<SubmittedWork>& queue = is_urgent ? urgent_ : queue_;
      queue.push_back({.work = std::move(work), .epoch = completions_.epoch()});
      const bool is_news = queue.size() == 1 || queue.size() == kFullHouse;
      if (is_urgent) is_urgent_waiting_.store(true, std::memory_order_relaxed);
      lock.unlock();
      if (is_news) wake_.notify_one();
      return;
    }
  }
  // Never inline, because callers do not expect their answer inside of their question.
  loop_->post([done = std::move(work.done)] {
    const Error error(ErrorCode::Draining, "the ledger is closed");
    done(&error);
  });
}

void GroupCommit::Implementation::close() {
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
  }
  wake_.notify_one();
  if (!thread_.joinable()) return;
  thread_.join();
  keeper_.reset();  // it tells nothing more
  completions_.deliver();
}

void GroupCommit::Implementation::run() {
  for (;;) {
    Items items = wait_for_work();
    const bool is_idle = items.empty();
    if (!is_idle) handle(std::move(items));
    if (ledger_ != nullptr && !is_idle) continue;
    {
      const std::lock_guard lock(mutex_);
      if (is_closing_ && queue_.empty() && urgent_.empty()) break;
    }
    if (ledger_ != nullptr) {
      look_at_files();
    } else {
      reopen();
    }
  }
  finish();
}

// All is in the database, and the record says so: the next start finds exactly this.
void GroupCommit::Implementation::finish() {
  if (ledger_ != nullptr && keeper_ != nullptr) {
    if (auto error = ledger_->prepare_close(); error.has_value()) {
      LedgerState state = ledger_->state();
      state.is_closed = true;
      static_cast<void>(
          keeper_->write_now(state).has_value());  // else the -wal stays and is wanted
    }
  }
  ledger_.reset();
  kept_.reset();
}

// Empty when closing, when it is time to look at the files, or, with a lost ledger, for it.
GroupCommit::Implementation::Items GroupCommit::Implementation::wait_for_work() {
  {
    std::unique_lock lock(mutex_);
    const auto is_awake = [this] { return is_closing_ || !queue_.empty() || !urgent_.empty(); };
    if (ledger_ != nullptr) {
      wake_.wait_for(lock, kLookInterval, is_awake);
    } else if (is_beyond_repair_) {
      wake_.wait(lock, is_awake);
    } else {
      wake_.wait_until(lock, next_try_, is_awake);
    }
    gather(lock);
  }
  Items items = take_urgent();
  const std::lock_guard lock(mutex_);
  const size_t room = kMaxWorkPerTransaction - std::min(items.size(), kMaxWorkPerTransaction);
  const auto end = queue_.begin() + static_cast<ptrdiff_t>(std::min(queue_.size(), room));
  items.insert(items.end(), std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
  queue_.erase(queue_.begin(), end);
  return items;
}

void GroupCommit::Implementation::gather(std::unique_lock<std::mutex>& lock) {
  if (ledger_ == nullptr) return;
  const auto is_enough = [this] {
    return is_closing_ || queue_.size() + urgent_.size() >= kFullHouse ||
           (!urgent_.empty() && may_hurry());
  };
  // Urgent work that may not hurry yet is looked at again when it may.
  if (hurry_after_ < gather_until_) wake_.wait_until(lock, hurry_after_, is_enough);
  wake_.wait_until(lock, gather_until_, is_enough);
}

GroupCommit::Implementation::Items GroupCommit::Implementation::take_urgent() {
  const std::lock_guard lock(mutex_);
  Items items(std::make_move_iterator(urgent_.begin()), std::make_move_iterator(urgent_.end()));
  urgent_.clear();
  is_urgent_waiting_.store(false, std::memory_order_relaxed);
  return items;
}

bool GroupCommit::Implementation::may_hurry() const {
  return !is_hurried_ && std::chrono::steady_clock::now() >= hurry_after_;
}

void GroupCommit::Implementation::handle(Items items) {
  items = refuse_old(std::move(items));
  if (items.empty()) return;
  const bool is_crowd = items.size() >= kCrowd;
  const auto begin = std::chrono::steady_clock::now();
  std::optional<Error> error = transact(items);
  const auto end = std::chrono::steady_clock::now();
  if (std::exchange(is_hurried_, false)) {
    // Half of the time belongs to those who do not hurry, also on a slow disk.
    hurry_after_ = end + std::max<std::chrono::nanoseconds>(kHurryInterval, end - begin);
    short_checkpoints_until_ = end + kShortCheckpoints;
  }
  if (error.has_value()) {
    lose(std::move(*error), std::move(items));
    return;
  }
  const auto summary = ledger_->summary();
  {
    const std::lock_guard lock(mutex_);
    counters_.transactions += 1;
    counters_.writes += items.size();
    last_summary_ = summary.value_or(last_summary_);
  }
  durable_ = ledger_->state();
  if (keeper_ != nullptr) keeper_->note(durable_);
  gather_until_ = is_crowd ? end + gathering_.load(std::memory_order_relaxed) : end;
  std::stable_partition(items.begin(), items.end(), is_urgent);
  completions_.post({.items = std::move(items)});
}

void GroupCommit::Implementation::size_checkpoints() {
  const bool is_short = std::chrono::steady_clock::now() < short_checkpoints_until_;
  const int pages = is_short ? kShortCheckpointPages : kCheckpointPages;
  if (std::exchange(checkpoint_pages_, pages) != pages) ledger_->checkpoint_every(pages);
}

// Keeps what may be done.
GroupCommit::Implementation::Items GroupCommit::Implementation::refuse_old(Items items) {
  const auto is_old = [this](const SubmittedWork& item) {
    return ledger_ == nullptr || item.epoch != epoch_;
  };
  const auto first_new = std::stable_partition(items.begin(), items.end(), is_old);
  if (first_new == items.begin()) return items;
  Items kept(std::make_move_iterator(first_new), std::make_move_iterator(items.end()));
  items.erase(first_new, items.end());
  completions_.post({.items = std::move(items),
                     .error = not_done(lost_.value_or(Error(ErrorCode::LedgerUnavailable)))});
  return kept;
}

// All of it in one transaction, or the reason why none of it. Of a hurried one `items` is what was
// done; the rest is back in the queue.
std::optional<Error> GroupCommit::Implementation::transact(Items& items) {
  size_checkpoints();
  if (auto begun = ledger_->begin(); !begun.has_value()) return begun.error();
  if (auto error = run_all(items)) return error;
  if (auto committed = ledger_->commit(); !committed.has_value()) return committed.error();
  return std::nullopt;
}

std::optional<Error> GroupCommit::Implementation::run_all(Items& items) {
  // Urgent pieces come first, as wait_for_work() made it, and are never put back.
  const auto urgent = static_cast<size_t>(std::count_if(items.begin(), items.end(), is_urgent));
  size_t end = items.size();
  // `at`: where the normal pieces go on. Some of them are in every transaction, or urgent work
  // could keep them out for ever.
  const auto hurry_at = [&](size_t at, size_t normal_done) {
    is_hurried_ = true;
    end = std::min(items.size(), at + kHurriedWork - std::min(normal_done, kHurriedWork));
  };
  if (urgent > 0 && may_hurry()) hurry_at(urgent, 0);
  for (size_t next = 0; next < end; ++next) {
    if (is_urgent_waiting_.load(std::memory_order_relaxed) && may_hurry()) {
      Items late = refuse_old(take_urgent());
      const size_t at = std::max(next, urgent);
      items.insert(items.begin() + static_cast<ptrdiff_t>(at),
                   std::make_move_iterator(late.begin()),
                   std::make_move_iterator(late.end()));
      if (!late.empty()) hurry_at(at + late.size(), at - urgent);
    }
    SubmittedWork& item = items[next];
    std::optional<Error> error = item.work.run(*ledger_);
    if (!error.has_value() || error->kind() == ErrorKind::Refuse) continue;
    item.own_error = error;
    return error;
  }
  put_back(items, end);
  return std::nullopt;
}

// Takes what comes after `end` out of `items`, to be done before everything else that waits.
void GroupCommit::Implementation::put_back(Items& items, size_t end) {
  const auto rest = items.begin() + static_cast<ptrdiff_t>(end);
  const std::lock_guard lock(mutex_);
  queue_.insert(
      queue_.begin(), std::make_move_iterator(rest), std::make_move_iterator(items.end()));
  items.erase(rest, items.end());
}

void GroupCommit::Implementation::look_at_files() {
  if (auto looked = ledger_->check_files(); !looked.has_value()) lose(looked.error(), {});
}

// The open files go with the ledger, so first everything is put where it stays.
Error GroupCommit::Implementation::rescue(const Error& error) {
  const auto place = ledger_->rescue(settings_.state_file.parent_path());
  if (!place.has_value()) {
    kept_ = std::move(ledger_);
    return Error(error.code(),
                 fmt::format("{}. Do not stop linesignd: only its open files hold the newest rows "
                             "(/proc/{}/fd), and saving them failed: {}",
                             error.detail(),
                             ::getpid(),
                             place.error().to_string()));
  }
  LedgerState state = ledger_->state();
  state.is_closed = true;
  if (keeper_ != nullptr) static_cast<void>(keeper_->write_now(state).has_value());
  return Error(error.code(), fmt::format("{}; {}", error.detail(), *place));
}

void GroupCommit::Implementation::lose(Error error, Items items) {
  if (error.code() == ErrorCode::LedgerReplaced) {
    error = rescue(error);
  } else if (keeper_ != nullptr) {
    static_cast<void>(keeper_->write_now(durable_).has_value());  // reopen() compares with it
  }
  ledger_.reset();  // rolls back what was not committed
  ++epoch_;
  is_beyond_repair_ = takes_a_person(error.code());
  next_try_ = std::chrono::steady_clock::now();
  completions_.post(
      {.lost = error, .items = std::move(items), .error = in_doubt_or_not_done(error)});
  lost_ = std::move(error);
}

void GroupCommit::Implementation::reopen() {
  if (is_beyond_repair_ || std::chrono::steady_clock::now() < next_try_) return;
  auto opened = Ledger::open(settings_);
  auto intents = opened.has_value() ? (*opened)->open_intents()
                                    : Result<std::vector<RecordedIntent>>(fail(opened.error()));
  if (intents.has_value()) {
    ledger_ = std::move(*opened);
    checkpoint_pages_ = 0;
    completions_.post({.recovered = std::move(*intents), .epoch = epoch_});
    return;
  }
  next_try_ = std::chrono::steady_clock::now() + kReopenInterval;
  const Error& error = intents.error();
  is_beyond_repair_ = takes_a_person(error.code());
  const bool is_known =
      lost_.has_value() && lost_->code() == error.code() && lost_->detail() == error.detail();
  if (is_known) return;
  lost_ = error;
  completions_.post({.lost = error});
}

GroupCommit::GroupCommit(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
GroupCommit::~GroupCommit() = default;

std::unique_ptr<GroupCommit> GroupCommit::start(EventLoop& loop,
                                                LedgerSettings settings,
                                                std::unique_ptr<Ledger> ledger,
                                                LedgerEvents events) {
  return std::unique_ptr<GroupCommit>(new GroupCommit(std::make_unique<Implementation>(
      loop, std::move(settings), std::move(ledger), std::move(events))));
}

GroupCommitCounters GroupCommit::counters() const { return implementation_->counters(); }
LedgerSummary GroupCommit::last_summary() const { return implementation_->last_summary(); }
void GroupCommit::submit(LedgerWork work) { implementation_->submit(std::move(work)); }
void GroupCommit::close() { implementation_->close(); }
void GroupCommit::gather_for(std::chrono::microseconds time) { implementation_->gather_for(time); }

}  // namespace linesign
