#include "appliance/cloud/registration/work_round.h"

#include <algorithm>
#include <mutex>
#include <thread>

namespace linesign {
namespace {

constexpr int kPassingAreAll = 10;
constexpr size_t kBookAfter = 100;  // what a kill may cost is this many repeated devices

class Round final {
 public:
  Round(Outbox& outbox, const std::string& target, const std::vector<CloudItem>& items)
      : outbox_(outbox), target_(target), items_(items) {}

  const CloudItem* next() {
    const std::lock_guard lock(mutex_);
    if (result_.hold || next_ == items_.size()) return nullptr;
    return &items_[next_++];
  }

  void take(DirectOutcome outcome) {
    std::vector<CloudBooking> full;
    {
      const std::lock_guard lock(mutex_);
      note(outcome);
      bookings_.push_back(std::move(outcome.booking));
      if (bookings_.size() >= kBookAfter) full.swap(bookings_);
    }
    if (!full.empty()) book(full);
  }

  RoundResult finish() {
    if (!bookings_.empty()) book(bookings_);
    if (!result_.hold && result_.registered == 0) result_.hold = std::move(passing_);
    return std::move(result_);
  }

 private:
  // A call that fails inside of AWS, a policy of the account that excludes its name, a limit that
  // its thing has reached: each may be about this one device. Only several in a row are about all.
  static bool may_be_alone(const Error& error) {
    return error.code() == ErrorCode::AwsUnavailable || error.code() == ErrorCode::AwsDenied ||
           error.code() == ErrorCode::AwsQuota;
  }

  void note(const DirectOutcome& outcome) {
    if (!outcome.hold) {
      passing_in_a_row_ = 0;
      return;
    }
    if (may_be_alone(*outcome.hold) && ++passing_in_a_row_ < kPassingAreAll) {
      passing_ = outcome.hold;
    } else if (!result_.hold) {
      result_.hold = outcome.hold;
    }
  }

  void book(const std::vector<CloudBooking>& bookings) {
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
  const std::vector<CloudItem>& items_;
  std::mutex mutex_;
  size_t next_ = 0;
  std::vector<CloudBooking> bookings_;
  std::optional<Error> passing_;
  int passing_in_a_row_ = 0;
  RoundResult result_;
};

}  // namespace

RoundResult run_round(Outbox& outbox,
                      const std::string& target,
                      const std::vector<CloudItem>& items,
                      size_t threads,
                      const MakeWorker& make_worker) {
  Round round(outbox, target, items);
  std::vector<std::function<DirectOutcome(const CloudItem&)>> workers;
  for (size_t i = 0; i < std::min(threads, items.size()); ++i) {
    auto worker = make_worker();
    if (!worker.has_value()) return RoundResult{0, 0, worker.error()};
    workers.push_back(std::move(*worker));
  }
  {
    std::vector<std::jthread> crew;
    crew.reserve(workers.size());
    for (const auto& worker : workers)
      crew.emplace_back([&round, &worker] {
        while (const CloudItem* item = round.next()) round.take(worker(*item));
      });
  }
  return round.finish();
}

}  // namespace linesign
