// AdminOutbox: the outbox of linesignd's ledger, over its admin socket.
//
// Errors   as Outbox; CloudTargetUnknown where linesignd must be restarted says so
// Threads  safe anywhere
#ifndef LINESIGN_APPLIANCE_CLOUD_UPLOADER_ADMIN_OUTBOX_H_
#define LINESIGN_APPLIANCE_CLOUD_UPLOADER_ADMIN_OUTBOX_H_

#include <string>
#include <utility>
#include <vector>

#include "appliance/admin/client/cloud_client.h"
#include "appliance/cloud/registration/outbox.h"
#include "appliance/cloud/targets/target_config.h"

namespace linesign {

class AdminOutbox final : public Outbox {
 public:
  AdminOutbox(CloudClient client, const AwsConfig& config)
      : client_(std::move(client)), config_(config) {}

  Result<std::vector<CloudItem>> claim(const std::string& target,
                                       uint64_t after,
                                       uint32_t limit) override;
  Result<CloudBooked> book(const std::string& target,
                           const std::vector<CloudBooking>& bookings) override;
  Result<BulkTask> create_task(const std::string& target, const std::string& object_key) override;
  Result<BulkTask> fill_task(uint64_t task_id, uint32_t lines) override;
  Result<std::vector<CloudItem>> task_items(uint64_t task_id,
                                            uint64_t after,
                                            uint32_t limit) override;
  Result<BulkTask> update_task(uint64_t task_id, const BulkTaskChange& change) override;
  Result<uint64_t> return_task_items(uint64_t task_id, uint32_t limit) override;
  Result<std::vector<BulkTask>> open_tasks(const std::string& target) override;
  Result<std::vector<CloudTargetStatus>> status() override;
  // Empty at the end only.
  Result<std::vector<CloudRegistration>> registrations(const std::string& target,
                                                       std::optional<RegistrationState> state,
                                                       uint64_t after,
                                                       uint32_t limit) override;
  Result<CertificatePage> certificates(const std::string& order,
                                       uint64_t after,
                                       uint32_t limit) override;
  Result<std::vector<LedgerCa>> cas() override;

 private:
  template <typename T>
  Result<T> explain(const std::string& target, Result<T> answer) const;

  const CloudClient client_;
  const AwsConfig& config_;  // borrowed
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_UPLOADER_ADMIN_OUTBOX_H_
