#include "appliance/cloud/registration/setbacks.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "appliance/cloud/aws/service_error.h"

namespace linesign {
namespace {

constexpr uint32_t kMostAttempts = 10;
constexpr std::chrono::minutes kCountedAgainAfter(1);

}  // namespace

std::optional<CloudBooking> Setbacks::add(DeviceOutcome outcome) {
  const uint64_t id = outcome.booking.issuance_id;
  if (!outcome.hold) {
    may_pass_.erase(id);
    return judge(outcome.booking);
  }
  refused_.erase(id);
  may_pass_.insert_or_assign(id, std::move(outcome));
  return std::nullopt;
}

std::optional<CloudBooking> Setbacks::judge(const CloudBooking& refused) {
  // The steps are taken in the order of their bits.
  const auto call = static_cast<size_t>(std::countr_one(refused.steps & kAllSteps));
  const Refusal now{refused.code, call, ++now_};
  const auto [known, is_first] = refused_.try_emplace(refused.issuance_id, now);
  const bool is_same = known->second.code == now.code && known->second.call == now.call;
  if (is_first || !is_same) {
    known->second = now;
    return std::nullopt;
  }
  if (passed_.at(call) < known->second.first) return std::nullopt;
  refused_.erase(known);
  return refused;
}

std::vector<CloudBooking> Setbacks::got_through(uint64_t issuance_id,
                                                Moment begun,
                                                uint32_t steps_before) {
  refused_.erase(issuance_id);
  may_pass_.erase(issuance_id);
  for (size_t call = 0; call < kCalls; ++call)
    if ((steps_before >> call & 1U) == 0) passed_.at(call) = std::max(passed_.at(call), begun);
  std::vector<CloudBooking> bookings;
  for (const auto& [id, outcome] : std::exchange(may_pass_, {}))
    if (auto booking = count(outcome)) bookings.push_back(std::move(*booking));
  return bookings;
}

// Absent: it counted less than a minute ago.
std::optional<CloudBooking> Setbacks::count(const DeviceOutcome& outcome) {
  const SteadyTime now = clock_.steady();
  std::erase_if(counted_at_,
                [&](const auto& each) { return each.second + kCountedAgainAfter <= now; });
  const bool is_first = counted_at_.emplace(outcome.booking.issuance_id, now).second;
  if (!is_first) return std::nullopt;
  CloudBooking booking = outcome.booking;
  ++booking.attempts;
  booking.state =
      booking.attempts < kMostAttempts ? RegistrationState::Waiting : RegistrationState::Parked;
  booking.code = static_cast<uint32_t>(outcome.hold->code());
  booking.reason = aws::one_line(outcome.hold->detail(), kMaxReasonBytes);
  return booking;
}

}  // namespace linesign
