#include "appliance/cloud/aws/rate_limiter.h"

#include <algorithm>

#include "appliance/cloud/aws/operation_limits.h"

namespace linesign::aws {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr double kBurstSeconds = 0.2;
constexpr double kLowerFactor = 0.7;
constexpr Seconds kLowerAtMostEvery(1);
constexpr std::chrono::seconds kQuietBeforeGrowth(10);
constexpr double kGrowthOfFullRate = 0.01;  // a second
constexpr double kGrowthOfRate = 0.03;

}  // namespace

void RateLimiter::set_quotas(const AccountRegion& where, Quotas quotas, double share) {
  const std::lock_guard lock(mutex_);
  Account& account = accounts_[where];
  account.quotas = std::move(quotas);
  account.share = share;
}

RateLimiter::Bucket& RateLimiter::bucket(const AccountRegion& where, std::string_view operation) {
  Account& account = accounts_[where];
  const auto found = account.buckets.find(operation);
  if (found != account.buckets.end()) return found->second;
  const auto quota = account.quotas.find(operation);
  const double per_second =
      quota != account.quotas.end() ? quota->second : default_quota(operation, where.region);
  Bucket fresh;
  fresh.full_rate = std::max(per_second * account.share, kLeastRate);
  fresh.rate = fresh.full_rate;
  fresh.filled_at = clock_.steady();
  return account.buckets.emplace(operation, fresh).first->second;
}

void RateLimiter::grow(Bucket& bucket, SteadyTime now) {
  if (!bucket.is_lowered || now <= bucket.grown_at) return;
  const Seconds time = now - bucket.grown_at;
  const double per_second =
      std::min(bucket.full_rate * kGrowthOfFullRate, bucket.rate * kGrowthOfRate);
  bucket.rate = std::min(bucket.full_rate, bucket.rate + per_second * time.count());
  bucket.grown_at = now;
  bucket.is_lowered = bucket.rate < bucket.full_rate;
}

std::chrono::nanoseconds RateLimiter::take(Bucket& bucket, SteadyTime now) {
  grow(bucket, now);
  const double most = std::max(1.0, bucket.rate * kBurstSeconds);
  bucket.tokens =
      std::min(most, bucket.tokens + bucket.rate * Seconds(now - bucket.filled_at).count());
  bucket.filled_at = now;
  bucket.tokens -= 1;
  ++bucket.calls;
  if (bucket.tokens >= 0) return std::chrono::nanoseconds(0);
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      Seconds(-bucket.tokens / bucket.rate));
}

void RateLimiter::lower(Bucket& bucket, SteadyTime now) {
  ++bucket.throttles;
  if (now - bucket.lowered_at < kLowerAtMostEvery) return;
  bucket.rate = std::max(bucket.rate * kLowerFactor, kLeastRate);
  bucket.lowered_at = now;
  bucket.grown_at = now + kQuietBeforeGrowth;
  bucket.is_lowered = true;
}

std::chrono::nanoseconds RateLimiter::reserve(const AccountRegion& where,
                                              std::string_view operation) {
  const std::lock_guard lock(mutex_);
  const SteadyTime now = clock_.steady();
  const std::chrono::nanoseconds own = take(bucket(where, operation), now);
  if (!adds_certificate(operation)) return own;
  return std::max(own, take(bucket(where, kCertificatesPerSecond), now));
}

void RateLimiter::throttled(const AccountRegion& where, std::string_view operation) {
  const std::lock_guard lock(mutex_);
  lower(bucket(where, operation), clock_.steady());
}

std::vector<RateStatus> RateLimiter::status(const AccountRegion& where) const {
  const std::lock_guard lock(mutex_);
  std::vector<RateStatus> rows;
  const auto account = accounts_.find(where);
  if (account == accounts_.end()) return rows;
  for (const auto& [operation, known] : account->second.buckets) {
    Bucket bucket = known;
    grow(bucket, clock_.steady());
    rows.push_back({operation, bucket.rate, bucket.full_rate, bucket.calls, bucket.throttles});
  }
  return rows;
}

}  // namespace linesign::aws
