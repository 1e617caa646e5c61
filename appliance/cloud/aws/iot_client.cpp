#include "appliance/cloud/aws/iot_client.h"

#include <fmt/format.h>

namespace linesign::aws {
namespace {

// AWS IoT answers within a second: one call that hangs keeps its device no longer than this.
constexpr HttpTimeouts kTimeouts{
    std::chrono::seconds(10), std::chrono::seconds(15), std::chrono::seconds(15)};

}  // namespace

void set_json(Call& call, const JsonObject& body) {
  call.headers.push_back({"Content-Type", "application/json"});
  call.body = body.to_string();
}

std::string flag_text(bool flag) { return flag ? "true" : "false"; }

Call IotClient::new_call(std::string operation,
                         std::string method,
                         std::vector<std::string> path) const {
  Call call;
  call.operation = std::move(operation);
  call.endpoint = endpoint_;
  call.method = std::move(method);
  call.timeouts = kTimeouts;
  for (const std::string& segment : path) call.path += "/" + percent_encode(segment);
  return call;
}

Result<JsonObject> IotClient::ask(Call call, const char* member) {
  JsonObject answer;
  call.read = [&answer, member](const HttpResponse& response) -> Result<void> {
    LS_TRY(answer, JsonObject::parse(response.body));
    const bool has_member = member == nullptr || answer.text(member) || answer.object(member);
    return has_member ? Result<void>()
                      : fail(ErrorCode::AwsAnswerUnreadable, fmt::format("no {} in it", member));
  };
  LS_CHECK(client_.call(call));
  return answer;
}

Result<void> IotClient::order(const Call& call) {
  LS_CHECK(client_.call(call));
  return {};
}

Result<Registered> IotClient::register_with(const Call& call) {
  auto answer = ask(call, "certificateId");
  if (answer.has_value()) {
    LS_TRY(std::string id, answer->required_text("certificateId"));
    return Registered{to_lower(id), answer->text("certificateArn").value_or(""), false};
  }
  const auto& error = client_.service_error();
  const bool existed = error && error->code == "ResourceAlreadyExistsException";
  if (!existed || error->resource_id.empty()) return fail(answer.error());
  return Registered{to_lower(error->resource_id), error->resource_arn, true};
}

Result<Page<CertificateSummary>> IotClient::list_with(Call call,
                                                      const std::string& marker,
                                                      int page_size) {
  call.query.push_back({"pageSize", std::to_string(page_size)});
  if (!marker.empty()) call.query.push_back({"marker", marker});
  LS_TRY(const JsonObject answer, ask(call));
  Page<CertificateSummary> page;
  page.next = answer.text("nextMarker").value_or("");
  for (const JsonObject& each : answer.objects("certificates")) {
    LS_TRY(const std::string id, each.required_text("certificateId"));
    page.items.push_back({to_lower(id),
                          each.text("certificateArn").value_or(""),
                          to_certificate_status(each.text("status").value_or("")),
                          to_certificate_mode(each.text("certificateMode").value_or("")),
                          each.time("creationDate")});
  }
  return page;
}

}  // namespace linesign::aws
