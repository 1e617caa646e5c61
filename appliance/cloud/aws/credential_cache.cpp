#include "appliance/cloud/aws/credential_cache.h"

#include <algorithm>

namespace linesign::aws {
namespace {

constexpr std::chrono::seconds kAgingWindow = std::chrono::minutes(15);
constexpr std::chrono::seconds kStaleWindow = std::chrono::minutes(10);
constexpr std::chrono::seconds kNextTry = std::chrono::minutes(1);

bool is_same(const SecretBytes& one, const SecretBytes& other) {
  return std::ranges::equal(one.reveal(), other.reveal());
}

// A secret may be corrected below the same id.
bool is_same_key(const Credentials& one, const Credentials& other) {
  return one.access_key_id == other.access_key_id &&
         is_same(one.secret_access_key, other.secret_access_key) &&
         is_same(one.session_token, other.session_token);
}

}  // namespace

CredentialCache::Freshness CredentialCache::freshness() const {
  if (!current_) return Freshness::Stale;
  if (!current_->expires_at) return Freshness::Fresh;
  const std::chrono::seconds life = *current_->expires_at - fetched_at_;
  const std::chrono::seconds left = *current_->expires_at - clock_.now();
  if (left > std::min(kAgingWindow, life * 3 / 8)) return Freshness::Fresh;
  return left > std::min(kStaleWindow, life / 4) ? Freshness::Aging : Freshness::Stale;
}

void CredentialCache::wait_for_fetch(std::unique_lock<std::mutex>& lock) {
  fetched_.wait(lock, [this] { return !is_fetching_; });
}

Result<CredentialsPtr> CredentialCache::fetch(std::unique_lock<std::mutex>& lock) {
  is_fetching_ = true;
  lock.unlock();
  auto fresh = provider_->fetch();
  lock.lock();
  is_fetching_ = false;
  fetched_.notify_all();
  if (!fresh.has_value()) return fail(fresh.error().with_context(provider_->source()));
  if (fresh->expires_at && *fresh->expires_at <= clock_.now())
    return fail(ErrorCode::AwsCredentialsExpired, provider_->source());
  current_ = std::make_shared<const Credentials>(std::move(*fresh));
  fetched_at_ = clock_.now();
  return current_;
}

Result<CredentialsPtr> CredentialCache::get() {
  std::unique_lock lock(mutex_);
  if (freshness() == Freshness::Stale) {
    wait_for_fetch(lock);
    return freshness() == Freshness::Stale ? fetch(lock) : Result<CredentialsPtr>(current_);
  }
  const bool may_wait = is_fetching_ || clock_.steady() < next_try_;
  if (freshness() == Freshness::Fresh || may_wait) return current_;
  CredentialsPtr old = current_;
  if (auto fresh = fetch(lock); fresh.has_value()) return fresh;
  next_try_ = clock_.steady() + kNextTry;
  return old;
}

Result<bool> CredentialCache::renew(std::string_view access_key_id) {
  std::unique_lock lock(mutex_);
  wait_for_fetch(lock);
  if (current_ && current_->access_key_id != access_key_id) return true;
  CredentialsPtr old = current_;
  LS_TRY(const CredentialsPtr fresh, fetch(lock));
  return !old || !is_same_key(*old, *fresh);
}

}  // namespace linesign::aws
