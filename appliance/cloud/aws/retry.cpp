#include "appliance/cloud/aws/retry.h"

#include <algorithm>
#include <random>

namespace linesign::aws {

std::chrono::milliseconds retry_delay(int retry,
                                      double random,
                                      std::optional<std::chrono::milliseconds> wished) {
  constexpr std::chrono::milliseconds kLongest(20'000);
  constexpr std::chrono::milliseconds kMostBeyond(5'000);
  constexpr int kMaxDoublings = 5;  // 2^5 s is beyond the longest
  const std::chrono::milliseconds most =
      std::min(kLongest, std::chrono::milliseconds(1000U << std::clamp(retry, 0, kMaxDoublings)));
  const std::chrono::milliseconds delay(
      static_cast<int64_t>(random * static_cast<double>(most.count())));
  return wished ? std::clamp(*wished, delay, delay + kMostBeyond) : delay;
}

double random_fraction() {
  thread_local std::minstd_rand generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.0, 1.0)(generator);
}

bool is_worth_repeating(ErrorCode transfer_error, bool repeatable) {
  switch (transfer_error) {
    case ErrorCode::AwsUnreachable:
      return true;
    case ErrorCode::AwsTimeout:
    case ErrorCode::AwsConnectionLost:
    case ErrorCode::AwsAnswerUnreadable:
      return repeatable;
    default:
      return false;
  }
}

bool RetryQuota::take(int cost) {
  const std::lock_guard lock(mutex_);
  if (left_ < cost) return false;
  left_ -= cost;
  return true;
}

void RetryQuota::give_back(int cost) {
  const std::lock_guard lock(mutex_);
  left_ = std::min(kCapacity, left_ + std::max(cost, 1));
}

int RetryQuota::left() const {
  const std::lock_guard lock(mutex_);
  return left_;
}

}  // namespace linesign::aws
