// CredentialCache: keeps credentials fresh for all threads.
//
// From 15 minutes before they expire one thread fetches new ones while all others go on with the
// old; a failure is forgotten and tried again a minute later. From 10 minutes before, all wait for
// the fetch, and its failure is theirs. Credentials that live for less than 40 minutes have windows
// of three and two eighths of their life.
//
// Errors   those of the provider
// Threads  safe anywhere; the provider is called by one thread at a time, without a lock held
// Source   AWS SDKs, "refreshable credentials"
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_CREDENTIAL_CACHE_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_CREDENTIAL_CACHE_H_

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string_view>

#include "appliance/cloud/aws/credentials.h"

namespace linesign::aws {

class CredentialCache final {
 public:
  CredentialCache(std::unique_ptr<CredentialProvider> provider, const Clock& clock)
      : provider_(std::move(provider)), clock_(clock) {}
  CredentialCache(const CredentialCache&) = delete;
  CredentialCache& operator=(const CredentialCache&) = delete;
  ~CredentialCache() = default;

  Result<CredentialsPtr> get();

  // Fetches unless somebody already replaced this key. False: key and secret are still the same.
  Result<bool> renew(std::string_view access_key_id);

  std::string source() const { return provider_->source(); }

 private:
  enum class Freshness : uint8_t { Fresh, Aging, Stale };

  Freshness freshness() const;
  // Waits for a fetch that another thread has begun.
  void wait_for_fetch(std::unique_lock<std::mutex>& lock);
  // Unlocks while the provider works.
  Result<CredentialsPtr> fetch(std::unique_lock<std::mutex>& lock);

  const std::unique_ptr<CredentialProvider> provider_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable fetched_;
  CredentialsPtr current_;
  UnixTime fetched_at_{};
  SteadyTime next_try_{};  // after a failure that could be tolerated
  bool is_fetching_ = false;
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_CREDENTIAL_CACHE_H_
