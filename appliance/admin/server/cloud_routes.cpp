// The calls of linesign-uploader and of the operator's tools that concern the cloud.
#include <array>
#include <utility>
#include <vector>

#include "appliance/admin/api/cloud_json.h"
#include "appliance/admin/server/admin_routes.h"

namespace linesign {
namespace {

template <typename T>
using Reply = CloudService::Reply<T>;

template <typename T>
Answer answer_of_cloud(const Result<T>& result) {
  if constexpr (std::is_void_v<T>) {
    if (!result.has_value()) return refusal(result.error());
    return {Poco::Net::HTTPResponse::HTTP_OK, "{}"};
  } else {
    return answer_of(result, [](const T& value) { return to_json(value); });
  }
}

// A call of CloudService with a request in the body.
template <auto kCall, typename Request, typename T>
Answer run_call(LoopBridge& bridge, const Call& call) {
  auto request = from_json<Request>(call.body);
  if (!request.has_value()) return refusal(request.error());
  // Shared, because a std::function can only hold what can be copied.
  const auto shared = std::make_shared<Request>(std::move(*request));
  return answer_of_cloud(bridge.call<T>([shared](AdminService& service, Reply<T> reply) {
    (service.cloud().*kCall)(std::move(*shared), std::move(reply));
  }));
}

Answer get_cloud_status(LoopBridge& bridge, const Call& /*call*/) {
  using Targets = std::vector<CloudTargetStatus>;
  return answer_of_cloud(bridge.call<Targets>([](AdminService& service, Reply<Targets> reply) {
    service.cloud().status(std::move(reply));
  }));
}

Answer get_ledger_cas(LoopBridge& bridge, const Call& /*call*/) {
  using Cas = std::vector<LedgerCa>;
  return answer_of_cloud(bridge.call<Cas>(
      [](AdminService& service, Reply<Cas> reply) { service.cloud().cas(std::move(reply)); }));
}

using Service = CloudService;
using Items = std::vector<CloudItem>;
using Tasks = std::vector<BulkTask>;

constexpr Route cloud_route(std::string_view method,
                            std::string_view path,
                            Answer (*run)(LoopBridge& bridge, const Call& call),
                            size_t max_bytes = AdminServer::kMaxRequestBytes) {
  return {method, path, "", run, max_bytes, Lane::Cloud};
}

constexpr std::array kCloudRoutes = {
    cloud_route("GET", "/v1/cloud/status", get_cloud_status),
    cloud_route("POST", "/v1/cloud/targets", run_call<&Service::set_plan, CloudPlan, void>),
    cloud_route("POST", "/v1/cloud/feed", run_call<&Service::set_feed, CloudFeedRequest, void>),
    cloud_route("POST", "/v1/cloud/claim", run_call<&Service::claim, CloudClaimRequest, Items>),
    cloud_route("POST",
                "/v1/cloud/book",
                run_call<&Service::book, CloudBookRequest, CloudBooked>,
                AdminServer::kMaxBookingBytes),
    cloud_route(
        "POST", "/v1/cloud/release", run_call<&Service::release, CloudReleaseRequest, uint64_t>),
    cloud_route("POST",
                "/v1/cloud/registrations",
                run_call<&Service::registrations, CloudListRequest, RegistrationPage>),
    cloud_route(
        "POST", "/v1/cloud/tasks", run_call<&Service::open_tasks, CloudTasksRequest, Tasks>),
    cloud_route("POST",
                "/v1/cloud/task/create",
                run_call<&Service::create_task, BulkCreateRequest, BulkTask>),
    cloud_route(
        "POST", "/v1/cloud/task/fill", run_call<&Service::fill_task, BulkFillRequest, BulkTask>),
    cloud_route(
        "POST", "/v1/cloud/task/items", run_call<&Service::task_items, BulkItemsRequest, Items>),
    cloud_route("POST",
                "/v1/cloud/task/update",
                run_call<&Service::update_task, BulkUpdateRequest, BulkTask>),
    cloud_route("POST",
                "/v1/cloud/task/return",
                run_call<&Service::return_task_items, BulkReturnRequest, uint64_t>),
    cloud_route("POST",
                "/v1/ledger/certificates",
                run_call<&Service::certificates, CertificatesRequest, CertificatePage>),
    cloud_route("GET", "/v1/ledger/cas", get_ledger_cas),
};

}  // namespace

std::span<const Route> cloud_routes() { return kCloudRoutes; }

}  // namespace linesign
