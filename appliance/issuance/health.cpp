#include "appliance/issuance/health.h"

#include <algorithm>
#include <cstdlib>

namespace linesign {

Health::Health(const Clock& clock, OnChange on_change)
    : clock_(clock), on_change_(std::move(on_change)), since_(clock.now()) {}

void Health::set(Cause cause, const Error& error) {
  auto& slot = obstacles_[static_cast<size_t>(cause)];
  if (slot) {
    // The same cause for another reason keeps its time: it has not produced since then.
    const bool is_known = slot->error.code() == error.code();
    slot->error = error;  // its detail may say more now
    if (is_known) return;
  } else {
    const UnixTime now = clock_.now();
    slot = HealthObstacle{cause, error, now};
    if (obstacles_count_++ == 0) since_ = now;
  }
  on_change_(cause, error);
}

void Health::clear(Cause cause) {
  auto& slot = obstacles_[static_cast<size_t>(cause)];
  if (!slot) return;
  slot.reset();
  if (--obstacles_count_ == 0) since_ = clock_.now();
  on_change_(cause, std::nullopt);
}

const Error& Health::reason() const {
  const auto first = std::find_if(
      obstacles_.begin(), obstacles_.end(), [](const auto& each) { return each.has_value(); });
  if (first == obstacles_.end()) std::abort();
  return (*first)->error;
}

std::vector<HealthObstacle> Health::obstacles() const {
  std::vector<HealthObstacle> present;
  for (const auto& each : obstacles_) {
    if (each) present.push_back(*each);
  }
  return present;
}

const char* to_string(Cause cause) {
  constexpr std::array<const char*, kCauseCount> kNames = {
      "ledger", "ledger record", "signers", "disk", "clock", "ca", "recovery", "draining"};
  return kNames[static_cast<size_t>(cause)];
}

}  // namespace linesign
