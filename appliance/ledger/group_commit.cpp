#include "appliance/ledger/group_commit.h"

#include <algorithm>
#include <utility>

#include "appliance/ledger/group_commit_implementation.h"

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
constexpr std::chrono::seconds kLookInterval(1);  // at the open files, without a commit

}  // namespace

GroupCommit::Implementation::Implementation(EventLoop& loop,
                                            LedgerSettings settings,
                                            std::unique_ptr<Ledger> ledger,
                                            LedgerEvents events)
    : loop_(&loop),
      settings_(std::move(settings)),
      ledger_(std::move(ledger)),
      completions_(loop, std::move(events)) {
  note_durable();
  if (!settings_.state_file.empty())
    keeper_ = std::make_unique<LedgerStateKeeper>(
        settings_.state_file, [this](const std::optional<Error>& error) {
          completions_.post({.record = RecordChange{error}});
        });
  thread_ = std::thread([this] { run(); });
}

void GroupCommit::Implementation::gather_for(std::chrono::microseconds time) {
  gathering_.store(std::min<std::chrono::microseconds>(time, kMaxGathering),
                   std::memory_order_relaxed);
}

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

// Empty when closing, when it is time to look at the files, or, with a lost ledger, for it.
GroupCommit::Implementation::Items GroupCommit::Implementation::wait_for_work() {
  {
    std::unique_lock lock(mutex_);
    const auto is_awake = [this] { return is_closing_ || !queue_.empty() || !urgent_.empty(); };
    if (ledger_ != nullptr) {
      wake_.wait_for(lock, kLookInterval, is_awake);
    } else if (is_beyond_repair_ && kept_ == nullptr) {
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
  note_durable();
  if (keeper_ != nullptr) keeper_->note(durable_);
  {
    const std::lock_guard lock(mutex_);
    counters_.transactions += 1;
    counters_.writes += items.size();
  }
  gather_until_ = is_crowd ? end + gathering_.load(std::memory_order_relaxed) : end;
  std::stable_partition(items.begin(), items.end(), is_urgent);
  completions_.post({.items = std::move(items)});
}

void GroupCommit::Implementation::note_durable() {
  durable_ = ledger_->state();
  const auto summary = ledger_->summary();
  const std::lock_guard lock(mutex_);
  last_summary_ = summary.value_or(last_summary_);
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
