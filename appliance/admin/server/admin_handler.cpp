#include "appliance/admin/server/admin_handler.h"

#include <array>
#include <istream>
#include <ostream>
#include <string>
#include <string_view>

#include <Poco/Exception.h>
#include <Poco/Net/HTTPRequestHandler.h>
#include <Poco/Net/HTTPServerRequest.h>
#include <Poco/Net/HTTPServerResponse.h>
#include <fmt/format.h>

#include "appliance/admin/server/admin_routes.h"

namespace linesign {
namespace {

using Poco::Net::HTTPResponse;
using Poco::Net::HTTPServerRequest;
using Poco::Net::HTTPServerResponse;

constexpr size_t kPartBytes = 16 * 1024;

// The station's name in the path (empty for a path without one), or absent if it is another path.
std::optional<std::string_view> match(const Route& route, std::string_view path) {
  if (route.after.empty())
    return path == route.before ? std::optional<std::string_view>("") : std::nullopt;
  const bool fits = path.size() > route.before.size() + route.after.size() &&
                    path.starts_with(route.before) && path.ends_with(route.after);
  if (!fits) return std::nullopt;
  path.remove_prefix(route.before.size());
  path.remove_suffix(route.after.size());
  return path.find('/') == std::string_view::npos ? std::optional(path) : std::nullopt;
}

// Absent: longer than allowed.
std::optional<std::string> read_body(std::istream& in, size_t max_bytes) {
  std::string body;
  std::array<char, kPartBytes> part{};
  while (in.read(part.data(), part.size()) || in.gcount() > 0) {
    body.append(part.data(), static_cast<size_t>(in.gcount()));
    if (body.size() > max_bytes) return std::nullopt;
  }
  return body;
}

class AdminHandler final : public Poco::Net::HTTPRequestHandler {
 public:
  explicit AdminHandler(LoopBridge& bridge) : bridge_(bridge) {}
  AdminHandler(const AdminHandler&) = delete;
  AdminHandler& operator=(const AdminHandler&) = delete;
  ~AdminHandler() override = default;

  void handleRequest(HTTPServerRequest& request, HTTPServerResponse& response) override {
    const Answer answer = answer_to(request, response);
    response.setStatusAndReason(answer.status);
    response.setContentType("application/json");
    response.setKeepAlive(false);
    response.setContentLength(static_cast<std::streamsize>(answer.body.size()));
    response.send() << answer.body << std::flush;
  }

 private:
  Answer answer_to(HTTPServerRequest& request, HTTPServerResponse& response) {
    std::string allowed;
    for (const std::span<const Route> routes : {appliance_routes(), cloud_routes()}) {
      for (const Route& route : routes) {
        const auto name = match(route, request.getURI());
        if (!name.has_value()) continue;
        if (route.method == request.getMethod())
          return run(route, std::string(*name), request.stream());
        allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
      }
    }
    if (allowed.empty())
      return refusal(HTTPResponse::HTTP_NOT_FOUND,
                     Error(ErrorCode::InputInvalid, "there is nothing at this path"));
    response.set("Allow", allowed);
    return refusal(HTTPResponse::HTTP_METHOD_NOT_ALLOWED,
                   Error(ErrorCode::InputInvalid, "expected " + allowed));
  }

  Answer run(const Route& route, std::string name, std::istream& in) {
    auto body = read_body(in, route.max_bytes);
    if (!body.has_value())
      return refusal(
          HTTPResponse::HTTP_REQUEST_ENTITY_TOO_LARGE,
          Error(ErrorCode::InputInvalid, fmt::format("more than {} bytes", route.max_bytes)));
    return route.run(bridge_, {std::move(name), std::move(*body)});
  }

  LoopBridge& bridge_;
};

class AdminHandlerFactory final : public Poco::Net::HTTPRequestHandlerFactory {
 public:
  explicit AdminHandlerFactory(LoopBridge& bridge) : bridge_(bridge) {}
  AdminHandlerFactory(const AdminHandlerFactory&) = delete;
  AdminHandlerFactory& operator=(const AdminHandlerFactory&) = delete;
  ~AdminHandlerFactory() override = default;

  Poco::Net::HTTPRequestHandler* createRequestHandler(
      const HTTPServerRequest& /*request*/) override {
    return std::make_unique<AdminHandler>(bridge_).release();  // the server deletes it
  }

 private:
  LoopBridge& bridge_;
};

}  // namespace

Poco::Net::HTTPRequestHandlerFactory::Ptr make_admin_handlers(LoopBridge& bridge) {
  return Poco::makeShared<AdminHandlerFactory>(bridge);
}

}  // namespace linesign
