// CloudService: what linesign-uploader and the operator's tools may ask and order about the cloud.
//
// The requests say what the calls of LedgerCloud say; limits and errors are those of
// appliance/ledger/ledger_cloud.h.
//
// Threads  as AdminService: every call and every reply on the event loop's thread
#ifndef LINESIGN_APPLIANCE_ADMIN_API_CLOUD_SERVICE_H_
#define LINESIGN_APPLIANCE_ADMIN_API_CLOUD_SERVICE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "appliance/records/cloud_records.h"
#include "protocol/base/result.h"

namespace linesign {

struct CloudFeedRequest {
  CloudFeed feed;
  bool is_active = true;
};

struct CloudClaimRequest {
  std::string target;
  uint64_t after = 0;
  uint32_t limit = kMaxCloudItems;
};

struct CloudBookRequest {
  std::string target;
  std::vector<CloudBooking> bookings;
};

struct CloudReleaseRequest {
  std::string target;
  std::optional<uint32_t> code;
  uint32_t limit = kMaxCloudMoves;
  std::optional<uint64_t> number = std::nullopt;  // this one alone; code and limit do not count
};

struct CloudListRequest {
  std::string target;
  std::optional<RegistrationState> state;
  uint64_t after = 0;
  uint32_t limit = kMaxCertificatePage;
};

struct CloudTasksRequest {
  std::string target;
};

struct BulkCreateRequest {
  std::string target;
  std::string object_key;
};

struct BulkFillRequest {
  uint64_t task_id = 0;
  uint32_t lines = 0;
};

struct BulkItemsRequest {
  uint64_t task_id = 0;
  uint64_t after = 0;
  uint32_t limit = kMaxCloudItems;
};

struct BulkUpdateRequest {
  uint64_t task_id = 0;
  BulkTaskChange change;
};

struct BulkReturnRequest {
  uint64_t task_id = 0;
  uint32_t limit = kMaxCloudMoves;
};

struct CertificatesRequest {
  std::string order_id;
  uint64_t after = 0;
  uint32_t limit = kMaxCertificatePage;
};

class CloudService {
 public:
  template <typename T>
  using Reply = std::function<void(Result<T>)>;

  CloudService() = default;
  CloudService(const CloudService&) = delete;
  CloudService& operator=(const CloudService&) = delete;
  virtual ~CloudService() = default;

  virtual void set_plan(CloudPlan plan, Reply<void> reply) = 0;
  virtual void set_feed(CloudFeedRequest request, Reply<void> reply) = 0;
  virtual void claim(CloudClaimRequest request, Reply<std::vector<CloudItem>> reply) = 0;
  virtual void book(CloudBookRequest request, Reply<CloudBooked> reply) = 0;
  virtual void release(CloudReleaseRequest request, Reply<uint64_t> reply) = 0;
  virtual void status(Reply<std::vector<CloudTargetStatus>> reply) = 0;
  virtual void registrations(CloudListRequest request, Reply<RegistrationPage> reply) = 0;

  virtual void open_tasks(CloudTasksRequest request, Reply<std::vector<BulkTask>> reply) = 0;
  virtual void create_task(BulkCreateRequest request, Reply<BulkTask> reply) = 0;
  virtual void fill_task(BulkFillRequest request, Reply<BulkTask> reply) = 0;
  virtual void task_items(BulkItemsRequest request, Reply<std::vector<CloudItem>> reply) = 0;
  virtual void update_task(BulkUpdateRequest request, Reply<BulkTask> reply) = 0;
  virtual void return_task_items(BulkReturnRequest request, Reply<uint64_t> reply) = 0;

  virtual void certificates(CertificatesRequest request, Reply<CertificatePage> reply) = 0;
  virtual void cas(Reply<std::vector<LedgerCa>> reply) = 0;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ADMIN_API_CLOUD_SERVICE_H_
