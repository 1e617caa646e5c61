// RateLimiter: a token bucket for each operation in each account and region.
//
// A bucket fills at its rate and holds a fifth of a second of it, one token at least, so that no
// second sees more than the quota. A throttled call lowers the rate by 30 %, at most once a second
// and down to 1 in 10 s; ten seconds after the last one it begins to grow again, each second by 1 %
// of its full value, but by no more than 3 % of itself. Others may use the same account, and quotas
// may be lower than AWS says.
//
// Threads  safe anywhere
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_RATE_LIMITER_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_RATE_LIMITER_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/cloud/aws/operation_limits.h"
#include "protocol/base/clock.h"

namespace linesign::aws {

// Buckets of one account and region are shared by all targets that lie there.
struct AccountRegion {
  std::string account;  // number, or any name for one that is not known yet
  std::string region;

  auto operator<=>(const AccountRegion&) const = default;
};

// "RegisterCertificate" -> quota of the account in calls a second, where it is not AWS's default.
using Quotas = std::map<std::string, double, std::less<>>;

struct RateStatus {
  std::string operation;
  double per_second = 0;       // at present
  double full_per_second = 0;  // without throttling
  uint64_t calls = 0;
  uint64_t throttled = 0;
};

class RateLimiter final {
 public:
  static constexpr double kLeastRate = 0.1;

  explicit RateLimiter(const Clock& clock) : clock_(clock) {}

  // For buckets that are made from now on. `share`: how much of each quota is used.
  void set_quotas(const AccountRegion& where, Quotas quotas, double share = kShareOfQuota);

  // Takes a token, if need be one of the future; the caller waits for so long before it calls.
  std::chrono::nanoseconds reserve(const AccountRegion& where, std::string_view operation);

  void throttled(const AccountRegion& where, std::string_view operation);

  // What has been used, by name.
  std::vector<RateStatus> status(const AccountRegion& where) const;

 private:
  struct Bucket {
    double full_rate = 1;
    double rate = 1;
    double tokens = 1;  // below 0: promised to callers who wait
    SteadyTime filled_at{};
    SteadyTime lowered_at{};
    SteadyTime grown_at{};  // the future: it does not grow yet
    bool is_lowered = false;
    uint64_t calls = 0;
    uint64_t throttles = 0;
  };
  struct Account {
    Quotas quotas;
    double share = kShareOfQuota;
    std::map<std::string, Bucket, std::less<>> buckets;
  };

  Bucket& bucket(const AccountRegion& where, std::string_view operation);
  static void grow(Bucket& bucket, SteadyTime now);
  static std::chrono::nanoseconds take(Bucket& bucket, SteadyTime now);
  static void lower(Bucket& bucket, SteadyTime now);

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<AccountRegion, Account> accounts_;
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_RATE_LIMITER_H_
