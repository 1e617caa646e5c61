// AdminRoutes: which call an HTTP request is, and how its answer is made.
//
// Threads  a route's function runs on a thread of AdminWorkers and waits for the event loop
#ifndef LINESIGN_APPLIANCE_ADMIN_SERVER_ADMIN_ROUTES_H_
#define LINESIGN_APPLIANCE_ADMIN_SERVER_ADMIN_ROUTES_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <Poco/Net/HTTPResponse.h>

#include "appliance/admin/server/admin_server.h"
#include "appliance/admin/server/admin_workers.h"
#include "appliance/admin/server/loop_bridge.h"

namespace linesign {

// One HTTP answer: its status and its JSON.
struct Answer {
  Poco::Net::HTTPResponse::HTTPStatus status = Poco::Net::HTTPResponse::HTTP_OK;
  std::string body;
  std::string allow = {};  // the methods that the path has, if the method is the fault
};

Answer refusal(Poco::Net::HTTPResponse::HTTPStatus status, const Error& error);
Answer refusal(const Error& error);  // with the status that fits it

// Of a call that succeeded, `encode` makes the JSON.
template <typename T, typename Encode>
Answer answer_of(const Result<T>& result, Encode encode) {
  if (!result.has_value()) return refusal(result.error());
  return {Poco::Net::HTTPResponse::HTTP_OK, encode(*result)};
}

struct Call {
  std::string name;  // of the station in the path, where there is one
  std::string body;
};

struct Route {
  std::string_view method;
  std::string_view before;  // the path, or what stands before the station's name in it
  std::string_view after;   // what stands after the name; empty: there is no name
  Answer (*run)(LoopBridge& bridge, const Call& call);
  size_t max_bytes = AdminServer::kMaxRequestBytes;  // of the body
  // Which threads serve it and how long it may take; urgent calls are counted apart.
  Lane lane = Lane::Normal;
};

// Of appliances and stations; of /v1/cloud and /v1/ledger.
std::span<const Route> appliance_routes();
std::span<const Route> cloud_routes();

struct Target {
  const Route* route = nullptr;
  std::string name;  // of the station in the path
};
// The refusal says what is wrong with method or path.
tl::expected<Target, Answer> find_target(std::string_view method, std::string_view path);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ADMIN_SERVER_ADMIN_ROUTES_H_
