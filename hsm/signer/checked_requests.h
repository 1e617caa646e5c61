// CheckedRequests: what a signer has checked and built and may be told to sign, by check_id.
//
// Linesignd need not say that a check was in vain: the oldest one makes room, and what is asked for
// after that is checked anew from its intent.
//
// Limits   kMaxCheckedBytes in all
// Threads  safe anywhere: any thread of the signer may sign what another one has checked
#ifndef LINESIGN_HSM_SIGNER_CHECKED_REQUESTS_H_
#define LINESIGN_HSM_SIGNER_CHECKED_REQUESTS_H_

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "protocol/base/bytes.h"
#include "protocol/base/ids.h"

namespace linesign {

// About ten thousand certificates of usual size.
constexpr size_t kMaxCheckedBytes = 8UL * 1024 * 1024;

struct CheckedRequest {
  Bytes tbs;
  Sha256 tbs_hash{};
};

class CheckedRequests final {
 public:
  explicit CheckedRequests(size_t max_bytes = kMaxCheckedBytes) : max_bytes_(max_bytes) {}

  void keep(uint64_t check_id, CheckedRequest request);
  // Once. Absent: never kept, taken before, or gone to make room.
  std::optional<CheckedRequest> take(uint64_t check_id);

 private:
  const size_t max_bytes_;
  std::mutex mutex_;
  std::map<uint64_t, CheckedRequest> requests_;  // numbers go up, so the first one is the oldest
  size_t bytes_ = 0;
};

}  // namespace linesign

#endif  // LINESIGN_HSM_SIGNER_CHECKED_REQUESTS_H_
