// ClockSkew: by how much AWS's clock is ahead of ours, for each host. The system clock is never
// touched: a factory has its own reasons for its time.
//
// Threads  safe anywhere
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_CLOCK_SKEW_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_CLOCK_SKEW_H_

#include <map>
#include <mutex>
#include <string>

#include "protocol/base/clock.h"

namespace linesign::aws {

class ClockSkew final {
 public:
  // Less than this cannot be why a signature is refused: services accept 5 minutes.
  static constexpr std::chrono::minutes kNoticeable{4};

  // 0 where nothing is known.
  std::chrono::seconds offset(const std::string& host) const;

  // A server refused our time and says its own. True: that is news, and signing again makes sense.
  bool learn(const std::string& host, UnixTime server, UnixTime ours);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::chrono::seconds> offsets_;
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_CLOCK_SKEW_H_
