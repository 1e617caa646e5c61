#include "appliance/cloud/registration/report_line.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <vector>

#include <fmt/format.h>

#include "appliance/cloud/aws/json.h"
#include "appliance/cloud/aws/service_error.h"
#include "appliance/cloud/registration/verdict.h"

namespace linesign {
namespace {

using aws::JsonObject;

// It says that something else went wrong.
constexpr std::string_view kWrapper = "ResourceRegistrationFailureException";
constexpr size_t kMaxCodeBytes = 100;

struct NamedCode {
  std::string_view code;
  int status = 0;
};

std::optional<std::string> text_of(const JsonObject& object,
                                   std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (auto text = object.text(name)) return text;
  return std::nullopt;
}

std::optional<JsonObject> object_of(const JsonObject& object,
                                    std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (auto found = object.object(name)) return found;
  return std::nullopt;
}

std::optional<int64_t> whole_number(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// As a number or, since AWS does not document it, as a text of digits.
std::optional<int64_t> number_of(const JsonObject& report) {
  constexpr const char* kName = "lineNumber";
  if (const auto number = report.integer(kName)) return number;
  const auto text = report.text(kName);
  return text ? whole_number(*text) : std::nullopt;
}

bool is_code_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

// "com.amazonaws.services.iot.model.ThrottlingException" -> "ThrottlingException"
std::string_view bare_class(std::string_view name) {
  return name.substr(name.find_last_of(".$#") + 1);
}

// What follows a label of the SDK's, up to the end of its field.
std::string_view field_at(std::string_view text, size_t from) {
  text.remove_prefix(std::min(text.find_first_not_of(' ', from), text.size()));
  return text.substr(0, text.find_first_of(";,) \t\r\n"));
}

int status_at(std::string_view text, size_t label) {
  constexpr std::string_view kLabel = "Status Code:";
  if (label == std::string_view::npos) return 0;
  const auto status = whole_number(field_at(text, label + kLabel.size()));
  return status && *status >= 100 && *status <= 599 ? static_cast<int>(*status) : 0;
}

// "(Service: AWSIot; Status Code: 429; Error Code: ThrottlingException; …)", each with its status.
void add_labelled(std::string_view message, std::vector<NamedCode>& codes) {
  constexpr std::string_view kLabel = "Error Code:";
  for (size_t at = message.find(kLabel); at != std::string_view::npos;
       at = message.find(kLabel, at + 1))
    codes.push_back({field_at(message, at + kLabel.size()),
                     status_at(message, message.rfind("Status Code:", at))});
}

bool is_error_code(std::string_view name) {
  const bool is_word = !name.empty() && std::all_of(name.begin(), name.end(), is_code_character);
  return is_word &&
         (name.ends_with("Exception") || aws::meaning_of(name, 0).error != ErrorCode::AwsRefused);
}

// "com.amazonaws.….AException: BException: words"
void add_leading(std::string_view message, int status, std::vector<NamedCode>& codes) {
  for (;;) {
    const size_t colon = message.find(':');
    const std::string_view name = bare_class(message.substr(0, colon));
    if (colon == std::string_view::npos || !is_error_code(name)) return;
    codes.push_back({name, status});
    message.remove_prefix(std::min(message.find_first_not_of(' ', colon + 1), message.size()));
  }
}

NamedCode most_specific(const std::vector<NamedCode>& codes, int status) {
  NamedCode chosen{"", status};
  for (const NamedCode& each : codes) {
    if (each.code.empty() || each.code == "null" || each.code.size() > kMaxCodeBytes) continue;
    if (each.code != kWrapper) return each;
    chosen = each;
  }
  return chosen;
}

std::string words_of(std::string_view code, std::string_view message) {
  constexpr size_t kSeen = kMaxReasonBytes / 2;
  const bool is_told =
      code.empty() || message.substr(0, kSeen).find(code) != std::string_view::npos;
  if (message.empty()) message = "no message";
  return aws::one_line(is_told ? std::string(message) : fmt::format("{}: {}", code, message),
                       kMaxReasonBytes);
}

std::optional<ReportFailure> failure_in(const JsonObject& object) {
  const auto code = text_of(object, {"code", "Code", "errorCode", "ErrorCode", "__type"});
  const auto message = text_of(object, {"message", "Message", "errorMessage", "ErrorMessage"});
  if (!code && !message) return std::nullopt;
  return read_report_failure(code.value_or(""), message.value_or(""));
}

std::optional<ReportFailure> failure_of(const JsonObject& report) {
  if (const auto error = object_of(report, {"error", "Error"}))
    return failure_in(*error).value_or(read_report_failure("", ""));
  if (const auto text = text_of(report, {"error", "Error"})) return read_report_failure("", *text);
  return failure_in(report);
}

// A result may have an error beside it that says nothing, and a message of its own.
bool names_error(const JsonObject& report) {
  return object_of(report, {"error", "Error"}) ||
         !text_of(report, {"error", "Error"}).value_or("").empty() ||
         !text_of(report, {"errorMessage", "ErrorMessage"}).value_or("").empty();
}

ReportResult result_in(const JsonObject& response) {
  ReportResult result;
  result.certificate_pem = text_of(response, {"CertificatePem", "certificatePem"});
  for (const char* name : {"ResourceArns", "resourceArns"})
    for (const auto& [resource, arn] : response.text_map(name))
      if (arn.find(":thing/") != std::string::npos)
        result.thing_name = arn.substr(arn.rfind('/') + 1);
  return result;
}

std::optional<ReportResult> result_of(const JsonObject& report) {
  if (const auto response = object_of(report, {"response", "Response"}))
    return result_in(*response);
  ReportResult bare = result_in(report);
  return bare.certificate_pem ? std::optional(std::move(bare)) : std::nullopt;
}

}  // namespace

ReportFailure read_report_failure(std::string_view code, std::string_view message) {
  const int status = status_at(message, message.find("Status Code:"));
  std::vector<NamedCode> codes;
  add_labelled(message, codes);
  add_leading(message, status, codes);
  const std::string_view outer = bare_class(code.substr(0, code.find(':')));
  codes.push_back({outer, status});
  const NamedCode chosen = most_specific(codes, status);
  return {aws::meaning_of(chosen.code, chosen.status),
          words_of(outer.empty() ? chosen.code : outer, message)};
}

std::optional<ReportLine> read_report_line(const std::string& json) {
  const auto report = JsonObject::parse(json);
  if (!report.has_value()) return std::nullopt;
  ReportLine line{number_of(*report), result_of(*report), failure_of(*report)};
  if (line.result && !names_error(*report)) line.failure.reset();
  return line;
}

}  // namespace linesign
