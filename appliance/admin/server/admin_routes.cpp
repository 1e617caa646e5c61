#include "appliance/admin/server/admin_routes.h"

namespace linesign {
namespace {

using Poco::Net::HTTPResponse;

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

}  // namespace

tl::expected<Target, Answer> find_target(std::string_view method, std::string_view path) {
  std::string allowed;
  for (const std::span<const Route> routes : {appliance_routes(), cloud_routes()}) {
    for (const Route& route : routes) {
      const auto name = match(route, path);
      if (!name.has_value()) continue;
      if (route.method == method) return Target{&route, std::string(*name)};
      allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
    }
  }
  if (allowed.empty())
    return tl::unexpected(refusal(HTTPResponse::HTTP_NOT_FOUND,
                                  Error(ErrorCode::InputInvalid, "there is nothing at this path")));
  Answer answer = refusal(HTTPResponse::HTTP_METHOD_NOT_ALLOWED,
                          Error(ErrorCode::InputInvalid, "expected " + allowed));
  answer.allow = std::move(allowed);
  return tl::unexpected(std::move(answer));
}

}  // namespace linesign
