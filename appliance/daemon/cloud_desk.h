// CloudDesk: the ledger's outbox as linesign-uploader sees it. Every call is one piece of work of
// GroupCommit, like those of stations: small, and none waits for the cloud.
//
// Threads  the event loop's thread
#ifndef LINESIGN_APPLIANCE_DAEMON_CLOUD_DESK_H_
#define LINESIGN_APPLIANCE_DAEMON_CLOUD_DESK_H_

#include <vector>

#include "appliance/admin/api/cloud_service.h"
#include "appliance/cloud/targets/target_config.h"
#include "appliance/cloud/targets/thing_name_rule.h"
#include "appliance/ledger/group_commit.h"
#include "appliance/ledger/ledger_cloud.h"
#include "protocol/base/clock.h"

namespace linesign {

// What the ledger is to be told of the configuration.
CloudPlan plan_of(const AwsConfig& config);

// Takes out of the plan those that were another account or region before, with what feeds them:
// nothing may count as registered in an account that it never reached.
std::vector<CloudTarget> take_moved(CloudPlan& plan, const std::vector<CloudTargetStatus>& known);

// Which orders go where now.
void set_rules(DeviceIdRules& rules, const std::vector<CloudTargetStatus>& targets);

class CloudDesk final : public CloudService {
 public:
  // Borrowed; all outlive this object. The rules follow what is decided about orders and targets.
  CloudDesk(const Clock& clock, GroupCommit& ledger, DeviceIdRules& rules)
      : clock_(clock), ledger_(ledger), rules_(rules) {}

  void set_plan(CloudPlan plan, Reply<void> reply) override;
  void set_feed(CloudFeedRequest request, Reply<void> reply) override;
  void claim(CloudClaimRequest request, Reply<std::vector<CloudItem>> reply) override;
  void book(CloudBookRequest request, Reply<CloudBooked> reply) override;
  void release(CloudReleaseRequest request, Reply<uint64_t> reply) override;
  void status(Reply<std::vector<CloudTargetStatus>> reply) override;
  void registrations(CloudListRequest request, Reply<RegistrationPage> reply) override;
  void open_tasks(CloudTasksRequest request, Reply<std::vector<BulkTask>> reply) override;
  void create_task(BulkCreateRequest request, Reply<BulkTask> reply) override;
  void fill_task(BulkFillRequest request, Reply<BulkTask> reply) override;
  void task_items(BulkItemsRequest request, Reply<std::vector<CloudItem>> reply) override;
  void update_task(BulkUpdateRequest request, Reply<BulkTask> reply) override;
  void return_task_items(BulkReturnRequest request, Reply<uint64_t> reply) override;
  void certificates(CertificatesRequest request, Reply<CertificatePage> reply) override;
  void cas(Reply<std::vector<LedgerCa>> reply) override;

 private:
  void renew_rules(Reply<void> reply);

  const Clock& clock_;
  GroupCommit& ledger_;
  DeviceIdRules& rules_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_DAEMON_CLOUD_DESK_H_
