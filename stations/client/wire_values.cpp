#include "stations/client/wire_values.h"

#include <algorithm>

#include <fmt/format.h>

namespace linesign {
namespace client {

ApplianceFailure to_failure(const station::v1::Failure& failure) {
  return {failure.code(),
          failure.name(),
          failure.message(),
          std::chrono::milliseconds(failure.retry_after_ms())};
}

Error to_error(const station::v1::Failure& failure) {
  const auto status = failure.retry_after_ms() > 0 ? IssueStatus::TryLater : IssueStatus::Refused;
  return to_failure(failure).to_error(status);
}

std::optional<RequestId> to_request_id(std::string_view bytes) {
  RequestId id{};
  if (bytes.size() != id.size()) return {};
  std::copy(bytes.begin(), bytes.end(), id.begin());
  return id;
}

Result<IssueReply> to_reply(station::v1::IssueReply& message) {
  const auto id = to_request_id(message.request_id());
  if (!id) return fail(ErrorCode::FrameMalformed, "an answer without a request id");
  IssueReply reply;
  reply.request_id = *id;
  switch (message.status()) {
    case station::v1::STATUS_OK:
      if (message.certificate_der().empty())
        return fail(ErrorCode::FrameMalformed, "an answer without its certificate");
      reply.status = IssueStatus::Issued;
      reply.certificate_der = to_bytes(message.certificate_der());
      return reply;
    case station::v1::STATUS_REFUSED:
      reply.status = IssueStatus::Refused;
      break;
    case station::v1::STATUS_TRY_LATER:
      reply.status = IssueStatus::TryLater;
      break;
    default:
      return fail(ErrorCode::FrameMalformed, "an answer without a known status");
  }
  reply.failure = to_failure(message.failure());
  return reply;
}

}  // namespace client

Error ApplianceFailure::to_error(IssueStatus status) const {
  const auto code = find_error_code(number);
  // The list's own sentence says the same; what is left is what the appliance knows beyond it.
  if (code) {
    const std::string_view sentence = error_info(*code).sentence;
    std::string_view rest = message;
    if (rest.starts_with(sentence)) rest.remove_prefix(sentence.size());
    while (!rest.empty() && (rest.front() == ' ' || rest.front() == '(')) rest.remove_prefix(1);
    while (!rest.empty() && rest.back() == ')') rest.remove_suffix(1);
    return Error(*code, std::string(rest));
  }
  return Error(status == IssueStatus::TryLater ? ErrorCode::Busy : ErrorCode::InputInvalid,
               fmt::format("{} {}: {}", number, name, message));
}

}  // namespace linesign
