#include "appliance/admin/client/cloud_client.h"

#include <algorithm>

#include "appliance/admin/api/cloud_json.h"

namespace linesign {

template <typename T, typename Request>
Result<T> CloudClient::post(const std::string& path, const Request& request) const {
  LS_TRY(const std::string answer, client_.exchange("POST", path, to_json(request)));
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return from_json<T>(answer);
  }
}

CloudClient AdminClient::cloud() const {
  return CloudClient(AdminClient(socket_, std::max(timeout_, kCloudTimeout)));
}

Result<void> CloudClient::set_plan(const CloudPlan& plan) const {
  return post<void>("/v1/cloud/targets", plan);
}

Result<void> CloudClient::set_feed(const CloudFeed& feed, bool is_active) const {
  return post<void>("/v1/cloud/feed", CloudFeedRequest{feed, is_active});
}

Result<std::vector<CloudItem>> CloudClient::claim(const std::string& target,
                                                  uint64_t after,
                                                  uint32_t limit) const {
  return post<std::vector<CloudItem>>("/v1/cloud/claim", CloudClaimRequest{target, after, limit});
}

Result<CloudBooked> CloudClient::book(const std::string& target,
                                      std::vector<CloudBooking> bookings) const {
  return post<CloudBooked>("/v1/cloud/book", CloudBookRequest{target, std::move(bookings)});
}

Result<uint64_t> CloudClient::release_all(const std::string& target,
                                          std::optional<uint32_t> code) const {
  uint64_t all = 0;
  for (;;) {
    LS_TRY(const uint64_t released,
           post<uint64_t>("/v1/cloud/release",
                          CloudReleaseRequest{target, code, kMaxCloudMoves, std::nullopt}));
    all += released;
    if (released < kMaxCloudMoves) return all;
  }
}

Result<uint64_t> CloudClient::release_one(const std::string& target, uint64_t number) const {
  return post<uint64_t>("/v1/cloud/release",
                        CloudReleaseRequest{target, std::nullopt, kMaxCloudMoves, number});
}

Result<std::vector<CloudTargetStatus>> CloudClient::status() const {
  LS_TRY(const std::string answer, client_.exchange("GET", "/v1/cloud/status", ""));
  return from_json<std::vector<CloudTargetStatus>>(answer);
}

Result<RegistrationPage> CloudClient::registrations(const std::string& target,
                                                    std::optional<RegistrationState> state,
                                                    uint64_t after,
                                                    uint32_t limit) const {
  return post<RegistrationPage>("/v1/cloud/registrations",
                                CloudListRequest{target, state, after, limit});
}

Result<std::vector<BulkTask>> CloudClient::open_tasks(const std::string& target) const {
  return post<std::vector<BulkTask>>("/v1/cloud/tasks", CloudTasksRequest{target});
}

Result<BulkTask> CloudClient::create_task(const std::string& target,
                                          const std::string& object_key) const {
  return post<BulkTask>("/v1/cloud/task/create", BulkCreateRequest{target, object_key});
}

Result<BulkTask> CloudClient::fill_task(uint64_t task_id, uint32_t lines) const {
  return post<BulkTask>("/v1/cloud/task/fill", BulkFillRequest{task_id, lines});
}

Result<std::vector<CloudItem>> CloudClient::task_items(uint64_t task_id,
                                                       uint64_t after,
                                                       uint32_t limit) const {
  return post<std::vector<CloudItem>>("/v1/cloud/task/items",
                                      BulkItemsRequest{task_id, after, limit});
}

Result<BulkTask> CloudClient::update_task(uint64_t task_id, const BulkTaskChange& change) const {
  return post<BulkTask>("/v1/cloud/task/update", BulkUpdateRequest{task_id, change});
}

Result<uint64_t> CloudClient::return_task_items(uint64_t task_id, uint32_t limit) const {
  return post<uint64_t>("/v1/cloud/task/return", BulkReturnRequest{task_id, limit});
}

Result<CertificatePage> CloudClient::certificates(const std::string& order_id,
                                                  uint64_t after,
                                                  uint32_t limit) const {
  return post<CertificatePage>("/v1/ledger/certificates",
                               CertificatesRequest{order_id, after, limit});
}

Result<std::vector<LedgerCa>> CloudClient::cas() const {
  LS_TRY(const std::string answer, client_.exchange("GET", "/v1/ledger/cas", ""));
  return from_json<std::vector<LedgerCa>>(answer);
}

}  // namespace linesign
