#include "appliance/cloud/aws/service_error.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "appliance/cloud/aws/json.h"
#include "appliance/cloud/aws/times.h"
#include "appliance/cloud/aws/xml.h"

namespace linesign::aws {
namespace {

constexpr size_t kMaxMessageBytes = 500;
constexpr size_t kMaxCodeBytes = 100;

// "ns#Code:http://…" -> "Code"
std::string bare_code(std::string_view code) {
  code = code.substr(0, code.find(':'));
  const size_t hash = code.rfind('#');
  if (hash != std::string_view::npos) code.remove_prefix(hash + 1);
  return one_line(code, kMaxCodeBytes);
}

std::string first_text(const JsonObject& body, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (auto text = body.text(name)) return std::move(*text);
  }
  return {};
}

void read_json(const HttpResponse& response, ServiceError& error) {
  error.code = bare_code(response.header("x-amzn-errortype"));
  const auto body = JsonObject::parse(response.body);
  if (!body.has_value()) return;
  if (error.code.empty()) error.code = bare_code(first_text(*body, {"code", "__type", "Code"}));
  error.message = first_text(*body, {"message", "Message", "errorMessage"});
  error.resource_id = one_line(first_text(*body, {"resourceId"}), kMaxMessageBytes);
  error.resource_arn = one_line(first_text(*body, {"resourceArn"}), kMaxMessageBytes);
}

void read_xml(const HttpResponse& response, ServiceError& error) {
  error.code = one_line(xml_text(response.body, {"Error", "Code"}).value_or(""), kMaxCodeBytes);
  error.message = xml_text(response.body, {"Error", "Message"}).value_or("");
  error.region = response.header("x-amz-bucket-region");
  if (error.region.empty())
    error.region = xml_text(response.body, {"Error", "Region"}).value_or("");
  if (error.request_id.empty())
    error.request_id = xml_text(response.body, {"RequestId"}).value_or("");
}

std::optional<std::chrono::milliseconds> read_retry_after(std::string_view text) {
  unsigned milliseconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), milliseconds);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return std::chrono::milliseconds(milliseconds);
}

// By what is there: gateways put the type of a web page on an empty answer of S3 too, and servers
// that play AWS on each.
bool looks_like_html(const HttpResponse& response) {
  const size_t start = response.body.find_first_not_of(" \t\r\n");
  if (start == std::string::npos) return false;
  const std::string begin = to_lower(std::string_view(response.body).substr(start, 14));
  if (begin.starts_with("<!doctype html") || begin.starts_with("<html")) return true;
  const bool is_named_so = to_lower(response.header("content-type")).starts_with("text/html");
  return is_named_so && !begin.starts_with('{') && !begin.starts_with("<?xml") &&
         !begin.starts_with("<error");
}

bool says_nothing(int status) {
  return status >= 400 && status < 500 && status != 401 && status != 403 && status != 429;
}

}  // namespace

std::string one_line(std::string_view text, size_t max_bytes) {
  std::string line;
  for (const char c : text.substr(0, max_bytes)) line += c >= ' ' && c <= '~' ? c : ' ';
  return line;
}

std::string_view request_id_of(const HttpResponse& response) {
  const std::string_view id = response.header("x-amzn-requestid");
  return id.empty() ? response.header("x-amz-request-id") : id;
}

bool is_foreign(const HttpResponse& response) {
  if (response.status == 407 || response.status == 511) return true;
  // Load balancers in front of AWS and proxies before them fail in HTML too, and that passes.
  if (response.status >= 500) return false;
  return request_id_of(response).empty() || looks_like_html(response);
}

ServiceError read_service_error(const HttpResponse& response, Service service) {
  ServiceError error;
  error.status = response.status;
  error.request_id = one_line(request_id_of(response), kMaxCodeBytes);
  error.server_time = parse_http_date(response.header("date"));
  error.retry_after = read_retry_after(response.header("x-amz-retry-after"));
  if (service == Service::S3 || service == Service::Sts) {
    read_xml(response, error);
  } else {
    read_json(response, error);
    error.is_unreadable = error.code.empty() && says_nothing(error.status);
  }
  error.message = error.message.substr(0, error.message.find("Canonical String"));
  error.message = one_line(error.message, kMaxMessageBytes);
  return error;
}

CodeMeaning meaning_of(const ServiceError& error) {
  if (error.is_unreadable) return {ErrorCode::AwsAnswerUnreadable, Remedy::TryAgain};
  return meaning_of(error.code, error.status);
}

Error to_error(const ServiceError& error, std::string_view operation) {
  std::string detail(operation);
  if (!error.code.empty()) detail += ": " + error.code;
  if (!error.message.empty()) detail += ": " + error.message;
  detail += fmt::format(" (HTTP {}", error.status);
  if (!error.request_id.empty()) detail += ", request " + error.request_id;
  return Error(meaning_of(error).error, detail + ")");
}

}  // namespace linesign::aws
