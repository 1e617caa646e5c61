#include "appliance/cloud/registration/work_round.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <mutex>
#include <thread>
#include <utility>

namespace linesign {
namespace {

constexpr int kAreAll = 10;
constexpr size_t kBookAfter = 100;            // what a kill may cost is this many repeated devices
constexpr std::chrono::seconds kPatience(1);  // with a call that hangs

class Round final {
 public:
  Round(Outbox& outbox,
        const std::string& target,
        const std::vector<CloudItem>& items,
        Setbacks& setbacks)
      : outbox_(outbox), target_(target), items_(items.begin(), items.end()), setbacks_(setbacks) {}

  struct Turn {
    const CloudItem* item = nullptr;
    Setbacks::Moment begun = 0;
  };

  // While a call hangs the others go on: what is done is booked, and what comes meanwhile is taken.
  std::optional<Turn> next() {
    std::unique_lock lock(mutex_);
    while (!result_.hold && next_ == items_.size() && busy_ > 0) {
      const bool is_late = changed_.wait_for(lock, kPatience) == std::cv_status::timeout;
      // One books for all, and takes new ones after that: a kill then repeats few.
      if (!is_late || std::exchange(is_catching_up_, true)) continue;
      const std::vector<CloudBooking> done = std::exchange(bookings_, {});
      lock.unlock();
      book(done);
      lock.lock();
      claim_more();
      is_catching_up_ = false;
    }
    if (result_.hold || next_ == items_.size()) return std::nullopt;
    ++busy_;
    return Turn{&items_[next_++], setbacks_.now()};
  }

  void take(const Turn& turn, DeviceOutcome outcome) {
    std::vector<CloudBooking> full;
    {
      const std::lock_guard lock(mutex_);
      note(turn, std::move(outcome));
      --busy_;
      changed_.notify_all();
      if (bookings_.size() >= kBookAfter) full.swap(bookings_);
    }
    book(full);
  }

  RoundResult finish() {
    if (!result_.hold && !got_on_ && last_failure_) result_.hold = last_failure_;
    book(bookings_);
    return std::move(result_);
  }

 private:
  void claim_more() {
    if (result_.hold || next_ != items_.size()) return;
    auto more = outbox_.claim(target_, items_.back().issuance_id, kMaxCloudItems);
    if (!more.has_value()) return;  // the next step says why
    std::move(more->begin(), more->end(), std::back_inserter(items_));
    changed_.notify_all();
  }

  void note(const Turn& turn, DeviceOutcome outcome) {
    const bool is_done = !outcome.hold && outcome.booking.state != RegistrationState::Parked;
    // A name that cannot be made of this device: nothing that AWS could say of others.
    const bool is_own_fault =
        !outcome.hold &&
        outcome.booking.code == static_cast<uint32_t>(ErrorCode::DeviceIdNotAllowed);
    if (is_done) {
      in_a_row_ = 0;
      plan(setbacks_.got_through(turn.item->issuance_id, turn.begun, turn.item->steps));
    }
    if (is_done || is_own_fault) {
      got_on_ = true;
      bookings_.push_back(std::move(outcome.booking));
    } else if (!outcome.hold || may_be_alone(*outcome.hold)) {
      set_back(*turn.item, std::move(outcome));
    } else {
      if (!result_.hold) result_.hold = outcome.hold;
      bookings_.push_back(std::move(outcome.booking));  // for its steps
    }
  }

  void set_back(const CloudItem& item, DeviceOutcome outcome) {
    const Error error =
        outcome.hold ? *outcome.hold
                     : Error(static_cast<ErrorCode>(outcome.booking.code), outcome.booking.reason);
    CloudBooking steps = outcome.booking;
    if (auto failed = setbacks_.add(std::move(outcome))) {
      got_on_ = true;
      bookings_.push_back(std::move(*failed));
      return;
    }
    steps.state = RegistrationState::Waiting;
    steps.attempts = item.attempts;
    steps.code = 0;
    steps.reason.clear();
    if (steps.steps != item.steps) bookings_.push_back(std::move(steps));
    last_failure_ = error.with_context("device " + item.device_id);
    if (++in_a_row_ < kAreAll || result_.hold) return;
    result_.hold = Error(error.code(), "ten devices in a row: " + error.detail());
    result_.stuck_at = items_[next_ - 1].issuance_id;
  }

  void plan(std::vector<CloudBooking> bookings) {
    std::move(bookings.begin(), bookings.end(), std::back_inserter(bookings_));
  }

  // In pieces that the ledger takes.
  void book(const std::vector<CloudBooking>& bookings) {
    for (size_t at = 0; at < bookings.size(); at += kMaxCloudItems) {
      const auto begin = bookings.begin() + static_cast<ptrdiff_t>(at);
      const size_t size = std::min<size_t>(kMaxCloudItems, bookings.size() - at);
      book_piece({begin, begin + static_cast<ptrdiff_t>(size)});
    }
  }

  void book_piece(const std::vector<CloudBooking>& bookings) {
    const auto booked = outbox_.book(target_, bookings);
    const std::lock_guard lock(mutex_);
    if (!booked.has_value()) {
      result_.hold = booked.error();
      return;
    }
    for (const CloudBooking& each : bookings) {
      if (each.state == RegistrationState::Registered) ++result_.registered;
      if (each.state == RegistrationState::Parked) ++result_.parked;
    }
    if (!booked->refused.empty() && !result_.hold)
      result_.hold = Error(ErrorCode::Internal,
                           "the ledger refuses a booking: " + booked->refused.front().reason);
  }

  Outbox& outbox_;
  const std::string& target_;
  std::deque<CloudItem> items_;  // which stay where they are when more come
  Setbacks& setbacks_;
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t busy_ = 0;
  size_t next_ = 0;
  std::vector<CloudBooking> bookings_;
  std::optional<Error> last_failure_;
  int in_a_row_ = 0;
  bool is_catching_up_ = false;
  bool got_on_ = false;  // somebody is registered, or failed for good
  RoundResult result_;
};

}  // namespace

RoundResult run_round(Outbox& outbox,
                      const std::string& target,
                      const std::vector<CloudItem>& items,
                      size_t threads,
                      const MakeWorker& make_worker,
                      Setbacks& setbacks) {
  Round round(outbox, target, items, setbacks);
  std::vector<std::function<DeviceOutcome(const CloudItem&)>> workers;
  for (size_t i = 0; i < std::min(threads, items.size()); ++i) {
    auto worker = make_worker();
    if (!worker.has_value()) return RoundResult{0, 0, worker.error(), std::nullopt};
    workers.push_back(std::move(*worker));
  }
  {
    std::vector<std::jthread> crew;
    crew.reserve(workers.size());
    for (const auto& worker : workers)
      crew.emplace_back([&round, &worker] {
        while (const auto turn = round.next()) round.take(*turn, worker(*turn->item));
      });
  }
  return round.finish();
}

}  // namespace linesign
