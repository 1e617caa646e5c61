#include "appliance/cloud/registration/pending_devices.h"

#include <algorithm>

#include "hsm/x509/csr.h"
#include "protocol/base/bytes.h"

namespace linesign {
namespace {

class Count final {
 public:
  explicit Count(uint64_t most) : left_(most) {}

  // Pages of anything that knows its number and its CA, until one is empty.
  template <typename Read>
  Result<void> add_pages(Read&& read) {
    uint64_t after = 0;
    for (;;) {
      LS_TRY(const auto page, read(after));
      if (page.empty()) return {};
      if (left_ == 0) {
        pending_.is_all = false;
        return {};
      }
      for (const auto& each : page) add(each.issuer_der);
      left_ -= std::min<uint64_t>(left_, page.size());
      after = page.back().issuance_id;
    }
  }

  PendingDevices take() { return std::move(pending_); }

 private:
  // The same CA signs many in a row.
  void add(const Bytes& issuer_der) {
    if (counter_ == nullptr || issuer_der != last_)
      counter_ = &pending_.by_ca[to_hex(sha256(issuer_der))];
    last_ = issuer_der;
    ++*counter_;
  }

  uint64_t left_;
  PendingDevices pending_;
  Bytes last_;
  uint64_t* counter_ = nullptr;
};

}  // namespace

Result<PendingDevices> count_pending(Outbox& outbox, const std::string& target, uint64_t most) {
  Count count(most);
  LS_CHECK(count.add_pages([&](uint64_t after) {
    return outbox.registrations(target, RegistrationState::Parked, after, kMaxCloudItems);
  }));
  LS_TRY(const std::vector<BulkTask> tasks, outbox.open_tasks(target));
  for (const BulkTask& task : tasks)
    LS_CHECK(count.add_pages(
        [&](uint64_t after) { return outbox.task_items(task.id, after, kMaxCloudItems); }));
  LS_CHECK(
      count.add_pages([&](uint64_t after) { return outbox.claim(target, after, kMaxCloudItems); }));
  return count.take();
}

}  // namespace linesign
