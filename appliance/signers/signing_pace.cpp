#include "appliance/signers/signing_pace.h"

#include <algorithm>
#include <utility>

namespace linesign {
namespace {

using std::chrono::microseconds;

constexpr int kMemory = 8;  // signatures
constexpr std::chrono::seconds kNewsPeriod(30);

}  // namespace

void SigningPace::record(microseconds time) {
  // 0 means that nothing is known.
  time = std::max(time, microseconds(1));
  typical_ = typical_.count() == 0 ? time : typical_ + (time - typical_) / kMemory;
  slowest_ = std::max(slowest_, time);
}

size_t SigningPace::batch_items(size_t maximum) const {
  if (typical_.count() == 0) return maximum;
  const auto fitting = static_cast<size_t>(microseconds(kBatchTime) / typical_);
  return std::clamp<size_t>(fitting, 1, maximum);
}

std::optional<PaceNews> SigningPace::take_news(SteadyTime now) {
  if (typical_.count() == 0 || (told_at_ && now - *told_at_ < kNewsPeriod)) return std::nullopt;
  const bool is_slow = slowest_ > sign_timeout_ / 2;
  const bool is_changed = typical_ > told_ * 2 || typical_ * 2 < told_;
  if (told_at_ && !is_slow && !is_changed) return std::nullopt;
  told_at_ = now;
  told_ = typical_;
  return PaceNews{typical_, std::exchange(slowest_, microseconds(0)), is_slow};
}

}  // namespace linesign
