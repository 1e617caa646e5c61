#include "appliance/cloud/aws/clock_skew.h"

namespace linesign::aws {

std::chrono::seconds ClockSkew::offset(const std::string& host) const {
  const std::lock_guard lock(mutex_);
  const auto found = offsets_.find(host);
  return found != offsets_.end() ? found->second : std::chrono::seconds(0);
}

bool ClockSkew::learn(const std::string& host, UnixTime server, UnixTime ours) {
  const std::lock_guard lock(mutex_);
  std::chrono::seconds& offset = offsets_[host];
  if (std::chrono::abs(server - (ours + offset)) <= kNoticeable) return false;
  offset = server - ours;
  return true;
}

}  // namespace linesign::aws
