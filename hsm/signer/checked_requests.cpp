#include "hsm/signer/checked_requests.h"

#include <utility>

namespace linesign {
namespace {

// With what the map needs for each.
size_t size_of(const CheckedRequest& request) { return request.tbs.size() + 128; }

}  // namespace

void CheckedRequests::keep(uint64_t check_id, CheckedRequest request) {
  const std::lock_guard lock(mutex_);
  const size_t size = size_of(request);
  if (!requests_.try_emplace(check_id, std::move(request)).second) return;
  bytes_ += size;
  while (bytes_ > max_bytes_) {
    bytes_ -= size_of(requests_.begin()->second);
    requests_.erase(requests_.begin());
  }
}

std::optional<CheckedRequest> CheckedRequests::take(uint64_t check_id) {
  const std::lock_guard lock(mutex_);
  auto found = requests_.extract(check_id);
  if (found.empty()) return std::nullopt;
  bytes_ -= size_of(found.mapped());
  return std::move(found.mapped());
}

}  // namespace linesign
