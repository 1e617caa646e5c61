#include "appliance/cloud/aws/client.h"

#include <utility>

#include <fmt/format.h>

#include "appliance/cloud/aws/digests.h"

namespace linesign::aws {

Result<HttpRequest> Client::make_request(const Call& call, Attempt& attempt) {
  HttpRequest request;
  request.method = call.method;
  request.url = call.endpoint.url;
  request.url.path += call.path;
  if (!call.query.empty()) request.url.query = encode_query(call.query);
  request.headers = call.headers;
  request.body = call.body;
  request.body_file = call.body_file;
  request.sink = call.sink;
  request.max_answer_bytes = call.max_answer_bytes;
  request.timeouts = call.timeouts;
  request.own_connection = !call.repeatable;
  const SignedParts signed_parts{
      call.endpoint.path_rule(),
      call.body_file ? call.body_file_sha256 : to_hex(sha256(as_bytes(call.body))),
      call.endpoint.service == Service::S3};
  attempt.clock_offset = parts_.runtime.skew.offset(call.endpoint.url.host);
  const SigningScope scope{call.endpoint.signing_region,
                           std::string(call.endpoint.signing_name()),
                           parts_.runtime.clock.now() + attempt.clock_offset};
  LS_TRY(attempt.access_key_id, parts_.authenticator->authorize(request, scope, signed_parts));
  return request;
}

Result<HttpResponse> Client::try_once(const Call& call, Attempt& attempt) {
  service_error_.reset();
  if (!parts_.runtime.pause.wait(parts_.runtime.limiter.reserve(parts_.where, call.operation)))
    return fail(ErrorCode::Interrupted, call.operation);
  LS_TRY(const HttpRequest request, make_request(call, attempt));
  auto response = parts_.runtime.transport.send(request);
  if (!response.has_value()) return fail(response.error().with_context(call.operation));
  if (is_foreign(*response)) {
    return fail(
        ErrorCode::AwsNotAws,
        fmt::format("{}: {} answers with HTTP {} and {}",
                    call.operation,
                    call.endpoint.url.host,
                    response->status,
                    request_id_of(*response).empty() ? "without a request id" : "a web page"));
  }
  if (response->is_success()) {
    const auto read = call.read ? call.read(*response) : Result<void>();
    if (!read.has_value()) return fail(read.error().with_context(call.operation));
    return response;
  }
  service_error_ = read_service_error(*response, call.endpoint.service);
  return fail(to_error(*service_error_, call.operation));
}

Result<HttpResponse> Client::call(const Call& call) {
  Attempt attempt;
  for (;;) {
    auto response = try_once(call, attempt);
    if (response.has_value()) {
      parts_.quota->give_back(attempt.quota_taken);
      return response;
    }
    LS_CHECK(recover(call, attempt, response.error()));
  }
}

Result<void> Client::recover(const Call& call, Attempt& attempt, const Error& error) {
  if (service_error_) return recover_from_answer(call, attempt, error);
  if (!is_worth_repeating(error.code(), call.repeatable)) return fail(error);
  const bool is_timeout = error.code() == ErrorCode::AwsTimeout;
  return wait_for_retry(
      call, attempt, error, is_timeout ? RetryQuota::kTimeoutCost : RetryQuota::kRetryCost);
}

Result<void> Client::recover_from_answer(const Call& call, Attempt& attempt, const Error& error) {
  switch (meaning_of(*service_error_).remedy) {
    case Remedy::None:
      return fail(error);
    case Remedy::SlowDown:
      parts_.runtime.limiter.throttled(parts_.where, call.operation);
      return wait_for_retry(call, attempt, error, RetryQuota::kRetryCost);
    case Remedy::TryAgain:
      // The service may have done its work and failed afterwards.
      if (!call.repeatable) return fail(error);
      return wait_for_retry(call, attempt, error, RetryQuota::kRetryCost);
    case Remedy::SetClock:
      if (!set_clock(call, attempt)) return fail(error);
      return {};
    case Remedy::PerhapsSetClock:
      // Else the secret: it may have been replaced in its file.
      return set_clock(call, attempt) ? Result<void>() : renew_key(attempt, error);
    case Remedy::RenewCredentials:
      break;
  }
  return renew_key(attempt, error);
}

bool Client::set_clock(const Call& call, Attempt& attempt) {
  if (std::exchange(attempt.clock_was_set, true) || !service_error_->server_time) return false;
  const std::string& host = call.endpoint.url.host;
  return parts_.runtime.skew.learn(
             host, *service_error_->server_time, parts_.runtime.clock.now()) ||
         parts_.runtime.skew.offset(host) != attempt.clock_offset;  // another thread was faster
}

Result<void> Client::renew_key(Attempt& attempt, const Error& error) {
  if (std::exchange(attempt.key_was_renewed, true)) return fail(error);
  LS_TRY(const bool is_newer, parts_.authenticator->renew(attempt.access_key_id));
  return is_newer ? Result<void>() : fail(error);
}

Result<void> Client::wait_for_retry(const Call& call,
                                    Attempt& attempt,
                                    const Error& error,
                                    int cost) {
  if (attempt.number + 1 >= parts_.max_attempts || !parts_.quota->take(cost)) return fail(error);
  attempt.quota_taken += cost;
  const auto wished = service_error_ ? service_error_->retry_after : std::nullopt;
  const auto delay = retry_delay(attempt.number, random_fraction(), wished);
  ++attempt.number;
  if (!parts_.runtime.pause.wait(delay)) return fail(ErrorCode::Interrupted, call.operation);
  return {};
}

}  // namespace linesign::aws
