// Retry: how often and when a call is sent again, after the SDKs' standard mode.
//
// Delay    random between 0 and min(2^i, 20) seconds before retry i, counted from 0; a server's own
//          wish counts, up to 5 seconds more than that
// Quota    500 tokens for all calls of one account and region: a retry takes 5, after a time-out
//          10; a success gives back what its retries took, and one token otherwise. So a service
//          that is down is not asked three times for everything
// Threads  safe anywhere
// Source   AWS SDKs and Tools Reference Guide, "Retry behavior"
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_RETRY_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_RETRY_H_

#include <chrono>
#include <mutex>
#include <optional>

#include "protocol/base/error.h"

namespace linesign::aws {

// `random` is from 0 to 1. `wished`: x-amz-retry-after.
std::chrono::milliseconds retry_delay(int retry,
                                      double random,
                                      std::optional<std::chrono::milliseconds> wished);

// Of this thread's generator.
double random_fraction();

// May a failed transfer, or a call whose answer cannot be read, be repeated? `repeatable`: does a
// second effect do no harm.
bool is_worth_repeating(ErrorCode transfer_error, bool repeatable);

class RetryQuota final {
 public:
  static constexpr int kCapacity = 500;
  static constexpr int kRetryCost = 5;
  static constexpr int kTimeoutCost = 10;

  // False: there is not enough left.
  bool take(int cost);
  // After a success whose retries took `cost` in all.
  void give_back(int cost);
  int left() const;

 private:
  mutable std::mutex mutex_;
  int left_ = kCapacity;
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_RETRY_H_
