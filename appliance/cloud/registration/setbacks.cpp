#include "appliance/cloud/registration/setbacks.h"

#include <utility>

#include "appliance/cloud/aws/service_error.h"

namespace linesign {
namespace {

constexpr uint32_t kMostAttempts = 10;
constexpr std::chrono::minutes kCountedAgainAfter(1);

}  // namespace

void Setbacks::add(DeviceOutcome outcome) {
  const uint64_t id = outcome.booking.issuance_id;
  aside_.insert_or_assign(id, std::move(outcome));
}

std::vector<CloudBooking> Setbacks::settle() {
  std::vector<CloudBooking> bookings;
  for (auto& [id, outcome] : std::exchange(aside_, {})) {
    if (!outcome.hold) {
      bookings.push_back(std::move(outcome.booking));
    } else if (auto booking = count(outcome)) {
      bookings.push_back(std::move(*booking));
    }
  }
  return bookings;
}

std::vector<CloudBooking> Setbacks::settle_refused() {
  std::vector<CloudBooking> bookings;
  for (auto& [id, outcome] : std::exchange(aside_, {}))
    if (!outcome.hold) bookings.push_back(std::move(outcome.booking));
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
