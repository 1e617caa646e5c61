// CloudClient: LedgerCloud of linesignd, over its admin socket.
//
// Nothing is repeated here; every call may be repeated by the caller
// (appliance/ledger/ledger_cloud.h).
//
// Errors   as AdminClient; and those of LedgerCloud
// Threads  safe anywhere: each call has a connection of its own
#ifndef LINESIGN_APPLIANCE_ADMIN_CLIENT_CLOUD_CLIENT_H_
#define LINESIGN_APPLIANCE_ADMIN_CLIENT_CLOUD_CLIENT_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "appliance/admin/api/cloud_service.h"
#include "appliance/admin/client/admin_client.h"

namespace linesign {

class CloudClient final {
 public:
  explicit CloudClient(AdminClient client) : client_(std::move(client)) {}

  Result<void> set_plan(const CloudPlan& plan) const;
  Result<void> set_feed(const CloudFeed& feed, bool is_active) const;

  Result<std::vector<CloudItem>> claim(const std::string& target,
                                       uint64_t after,
                                       uint32_t limit) const;
  // At most kMaxCloudItems.
  Result<CloudBooked> book(const std::string& target, std::vector<CloudBooking> bookings) const;
  // All of them, kMaxCloudMoves in each call; absent code: whatever the reason. Gives their number.
  Result<uint64_t> release_all(const std::string& target, std::optional<uint32_t> code) const;
  // By its number in the ledger. 0: it is not parked.
  Result<uint64_t> release_one(const std::string& target, uint64_t number) const;

  Result<std::vector<CloudTargetStatus>> status() const;
  Result<RegistrationPage> registrations(const std::string& target,
                                         std::optional<RegistrationState> state,
                                         uint64_t after,
                                         uint32_t limit) const;

  Result<std::vector<BulkTask>> open_tasks(const std::string& target) const;
  Result<BulkTask> create_task(const std::string& target, const std::string& object_key) const;
  Result<BulkTask> fill_task(uint64_t task_id, uint32_t lines) const;
  Result<std::vector<CloudItem>> task_items(uint64_t task_id, uint64_t after, uint32_t limit) const;
  Result<BulkTask> update_task(uint64_t task_id, const BulkTaskChange& change) const;
  Result<uint64_t> return_task_items(uint64_t task_id, uint32_t limit) const;

  Result<CertificatePage> certificates(const std::string& order_id,
                                       uint64_t after,
                                       uint32_t limit) const;
  Result<std::vector<LedgerCa>> cas() const;

 private:
  template <typename T, typename Request>
  Result<T> post(const std::string& path, const Request& request) const;
  AdminClient client_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ADMIN_CLIENT_CLOUD_CLIENT_H_
