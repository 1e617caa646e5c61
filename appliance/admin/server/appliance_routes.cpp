// What an operator asks and orders about the appliance and its stations.
#include <array>
#include <utility>

#include "appliance/admin/api/admin_json.h"
#include "appliance/admin/server/admin_routes.h"
#include "protocol/base/ids.h"

namespace linesign {
namespace {

using Poco::Net::HTTPResponse;

HTTPResponse::HTTPStatus http_status(const Error& error) {
  switch (error.code()) {
    case ErrorCode::StationExists:
    case ErrorCode::CloudTargetMoved:
      return HTTPResponse::HTTP_CONFLICT;
    case ErrorCode::StationNotFound:
    case ErrorCode::CloudTargetUnknown:
      return HTTPResponse::HTTP_NOT_FOUND;
    default:
      break;
  }
  switch (error.kind()) {
    case ErrorKind::Refuse:
      return HTTPResponse::HTTP_BAD_REQUEST;
    case ErrorKind::Retry:
      return HTTPResponse::HTTP_SERVICE_UNAVAILABLE;
    case ErrorKind::Operator:
    case ErrorKind::Bug:
      break;
  }
  return HTTPResponse::HTTP_INTERNAL_SERVER_ERROR;
}

Answer get_status(LoopBridge& bridge, const Call& /*call*/) {
  return answer_of(bridge.call<ApplianceStatus>(
                       [](AdminService& service, auto reply) { service.status(std::move(reply)); }),
                   status_to_json);
}

Answer get_stations(LoopBridge& bridge, const Call& /*call*/) {
  return answer_of(
      bridge.call<std::vector<StationListEntry>>(
          [](AdminService& service, auto reply) { service.list_stations(std::move(reply)); }),
      stations_to_json);
}

Answer add_station(LoopBridge& bridge, const Call& call) {
  const auto name = station_name_from_json(call.body);
  if (!name.has_value()) return refusal(name.error());
  if (const auto checked = check_station_name(*name); !checked.has_value())
    return refusal(checked.error());
  return answer_of(bridge.call<std::string>([name = *name](AdminService& service, auto reply) {
    service.add_station(name, std::move(reply));
  }),
                   [](const std::string& token) { return token_to_json(token); });
}

Answer revoke_station(LoopBridge& bridge, const Call& call) {
  if (const auto checked = check_station_name(call.name); !checked.has_value())
    return refusal(checked.error());
  return answer_of(
      bridge.call<StationRecord>([name = call.name](AdminService& service, auto reply) {
        service.revoke_station(name, std::move(reply));
      }),
      station_to_json);
}

Answer confirm_clock(LoopBridge& bridge, const Call& call) {
  const auto is_back = clock_request_from_json(call.body);
  if (!is_back.has_value()) return refusal(is_back.error());
  return answer_of(bridge.call<ClockEvent>([is_back = *is_back](AdminService& service, auto reply) {
    service.confirm_clock(is_back, std::move(reply));
  }),
                   clock_event_to_json);
}

Answer trust_hsm(LoopBridge& bridge, const Call& /*call*/) {
  return answer_of(bridge.call<uint64_t>([](AdminService& service, auto reply) {
    service.trust_hsm(std::move(reply));
  }),
                   released_to_json);
}

constexpr std::array kRoutes = {
    Route{"GET", "/v1/status", "", get_status},
    Route{"GET", "/v1/stations", "", get_stations},
    Route{"POST", "/v1/stations", "", add_station},
    Route{"POST",
          "/v1/stations/",
          "/revoke",
          revoke_station,
          AdminServer::kMaxRequestBytes,
          Lane::Urgent},
    Route{"POST", "/v1/clock/confirm", "", confirm_clock},
    Route{"POST", "/v1/hsm/trust", "", trust_hsm},
};

}  // namespace

Answer refusal(HTTPResponse::HTTPStatus status, const Error& error) {
  return {status, error_to_json(error)};
}

Answer refusal(const Error& error) { return refusal(http_status(error), error); }

std::span<const Route> appliance_routes() { return kRoutes; }

}  // namespace linesign
