#include "appliance/issuance/admission.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "protocol/base/bytes.h"

namespace linesign {
namespace {

// A station with so few places waits for those certificates; one with more, for the last of many.
constexpr uint32_t kFew = 4;
constexpr std::chrono::milliseconds kMinTime(20);
constexpr std::chrono::milliseconds kMaxTime(30'000);
// Stations come a little later than told, so that they do not all come at once.
constexpr std::chrono::milliseconds kMinPatience(1000);
// A place that stays free is lost, and for one who comes a little too early there is room.
constexpr double kEarly = 0.9;
constexpr std::chrono::duration<double> kRateStep(0.1);
constexpr std::chrono::duration<double> kRateMemory(0.5);

}  // namespace

size_t Admission::RequestIdHash::operator()(const RequestId& id) const {
  return std::hash<std::string_view>{}(as_text(id));
}

Admission::Admission(const Clock& clock, uint32_t places)
    : clock_(clock), places_(places), rate_since_(clock.steady()) {}

std::optional<std::chrono::milliseconds> Admission::enter(int64_t station_id,
                                                          const RequestId& request_id) {
  if (is_full_ || !has_place()) {
    const SteadyTime now = clock_.steady();
    if (!std::exchange(is_full_, true)) start_measuring(now);
    measure_rate(now);
    if (auto time = turn_away(station_id, request_id, now)) {
      ++turned_away_;
      return time;
    }
  }
  set_places(station_id, places_of(station_id) + 1);
  return std::nullopt;
}

// Absent if it may come in.
std::optional<std::chrono::milliseconds> Admission::turn_away(int64_t station_id,
                                                              const RequestId& request_id,
                                                              SteadyTime now) {
  forget_missed(now);
  const auto told = told_.find(request_id);
  if (told != told_.end()) {
    if (now < told->second.not_before)
      return std::chrono::ceil<std::chrono::milliseconds>(told->second.not_before - now);
    forget(told);
    // An appointment is kept, or it would be told again and again while others come and go.
    if (taken_ < 2 * places_) return std::nullopt;
  } else if (has_place() || has_share_left(station_id)) {
    return std::nullopt;
  }
  const std::chrono::milliseconds time = time_to_return();
  // The longest time is nobody's turn, so nothing need be remembered: a flood of requests that cost
  // the station nothing fills no memory.
  if (time == kMaxTime) return time;
  const auto missed = missed_.emplace(now + time + std::max(time / 2, kMinPatience), request_id);
  told_.emplace(request_id,
                Told{.not_before = now + time, .missed = missed, .station_id = station_id});
  ++stations_[station_id].returning;
  return time;
}

bool Admission::has_share_left(int64_t station_id) const {
  const auto found = stations_.find(station_id);
  const size_t stations = stations_.size() + (found == stations_.end() ? 1 : 0);
  return places_of(station_id) < places_ / stations;
}

uint32_t Admission::places_of(int64_t station_id) const {
  const auto found = stations_.find(station_id);
  return found == stations_.end() ? 0 : found->second.places;
}

uint32_t Admission::returning_of(int64_t station_id) const {
  const auto found = stations_.find(station_id);
  return found == stations_.end() ? 0 : found->second.returning;
}

bool Admission::is_one_of_few(int64_t station_id) const {
  const uint32_t wanted = places_of(station_id) + returning_of(station_id);
  return wanted > 0 && wanted <= kFew && taken_by_many_ > taken_ / 2;
}

void Admission::set_places(int64_t station_id, uint32_t places) {
  const auto by_many = [](uint32_t count) { return count > kFew ? count : 0; };
  const auto found = stations_.try_emplace(station_id).first;
  const uint32_t before = std::exchange(found->second.places, places);
  taken_ = taken_ - before + places;
  taken_by_many_ = taken_by_many_ - by_many(before) + by_many(places);
  if (places == 0 && found->second.returning == 0) stations_.erase(found);
}

void Admission::leave(int64_t station_id, bool is_issued) {
  const uint32_t places = places_of(station_id);
  if (places == 0) return;  // leave_all() came before
  set_places(station_id, places - 1);
  if (is_issued) ++issued_;
  if (taken_ > places_ / 2) return;
  // There is room for everybody, however wrong the times were.
  is_full_ = false;
  forget_all_told();
}

void Admission::leave_all() {
  stations_.clear();
  taken_ = 0;
  taken_by_many_ = 0;
  is_full_ = false;
  told_.clear();
  missed_.clear();
}

void Admission::forget_all_told() {
  while (!told_.empty()) forget(told_.begin());
}

// The time in which those who were told before will have had their turn. Places come free all the
// time, so of what is in flight only that is waited for which has no place.
std::chrono::milliseconds Admission::time_to_return() const {
  const double before = static_cast<double>(told_.size()) + taken_ - places_;
  const std::chrono::duration<double> time(kEarly * before / std::max(rate_per_second_, 1.0));
  if (time >= kMaxTime) return kMaxTime;
  return std::max(std::chrono::ceil<std::chrono::milliseconds>(time), kMinTime);
}

void Admission::forget_missed(SteadyTime now) {
  while (!missed_.empty() && missed_.begin()->first <= now)
    forget(told_.find(missed_.begin()->second));
}

void Admission::forget(ToldRequests::iterator told) {
  const auto station = stations_.find(told->second.station_id);
  if (--station->second.returning == 0 && station->second.places == 0) stations_.erase(station);
  missed_.erase(told->second.missed);
  told_.erase(told);
}

void Admission::start_measuring(SteadyTime now) {
  rate_since_ = now;
  rate_base_ = issued_;
}

// How fast it is shows only while there is more to do than it can do.
void Admission::measure_rate(SteadyTime now) {
  const std::chrono::duration<double> elapsed = now - rate_since_;
  const uint64_t done = issued_ - rate_base_;
  if (elapsed < kRateStep || done == 0) return;
  const double weight = is_rate_known_ ? std::min(elapsed / kRateMemory, 1.0) : 1.0;
  rate_per_second_ += weight * (static_cast<double>(done) / elapsed.count() - rate_per_second_);
  is_rate_known_ = true;
  start_measuring(now);
}

}  // namespace linesign
