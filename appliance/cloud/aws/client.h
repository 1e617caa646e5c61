// Client: one call to AWS, from its parts to its answer.
//
//   wait for the rate limit -> sign -> send -> judge the answer -> perhaps wait and try again
//
// Tried again: throttling, failures of the service or of the network, answers that cannot be read,
// a clock that differs (once, after taking over the server's), credentials that have expired or are
// gone (once, after fetching new ones). Not tried again: what AWS refuses for good, answers that do
// not come from AWS, and calls that are not `repeatable` once they may have had their effect.
//
// Errors   of HttpTransport and CredentialProvider; what the codes of AWS mean (error_codes.h);
//          AwsNotAws; AwsAnswerUnreadable; Interrupted when the pause is stopped. Each names the
//          operation
// Threads  one client per thread; what ClientParts refers to is shared and safe anywhere
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_CLIENT_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_CLIENT_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/cloud/aws/authenticator.h"
#include "appliance/cloud/aws/clock_skew.h"
#include "appliance/cloud/aws/endpoints.h"
#include "appliance/cloud/aws/error_codes.h"
#include "appliance/cloud/aws/http_transport.h"
#include "appliance/cloud/aws/pause.h"
#include "appliance/cloud/aws/rate_limiter.h"
#include "appliance/cloud/aws/retry.h"
#include "appliance/cloud/aws/service_error.h"

namespace linesign::aws {

// What all clients of a process may share. Everything is borrowed and outlives them.
struct Runtime {
  HttpTransport& transport;
  RateLimiter& limiter;
  ClockSkew& skew;
  const Clock& clock;
  Pause& pause;
};

struct ClientParts {
  Runtime runtime;
  std::shared_ptr<Authenticator> authenticator;
  std::shared_ptr<RetryQuota> quota;  // of one account and region
  AccountRegion where;
  int max_attempts = 3;
};

struct Call {
  std::string operation{};  // "CreateThing"
  Endpoint endpoint{};
  std::string method = "GET";
  std::string path{};  // after the endpoint's own; encoded
  std::vector<QueryParameter> query{};
  std::vector<HttpHeader> headers{};
  std::string body{};
  std::optional<BodyFile> body_file{};
  std::string body_file_sha256{};                        // hex
  std::function<Result<void>(std::string_view)> sink{};  // as in HttpRequest
  // Reads a success. Its AwsAnswerUnreadable has the call repeated.
  std::function<Result<void>(const HttpResponse&)> read{};
  uint64_t max_answer_bytes = kMaxAnswerBytes;
  HttpTimeouts timeouts{};
  bool repeatable = true;
};

class Client final {
 public:
  explicit Client(ClientParts parts) : parts_(std::move(parts)) {}

  // An answer with status 2xx.
  Result<HttpResponse> call(const Call& call);

  // The time there, as far as the host has shown that it differs from ours.
  UnixTime server_time(const Endpoint& endpoint) const {
    return parts_.runtime.clock.now() + parts_.runtime.skew.offset(endpoint.url.host);
  }

  // What AWS said when the last call failed; absent when it did not say anything.
  const std::optional<ServiceError>& service_error() const { return service_error_; }

 private:
  struct Attempt {
    int number = 0;  // counted from 0
    int quota_taken = 0;
    bool clock_was_set = false;
    bool key_was_renewed = false;
    std::string access_key_id;
    std::chrono::seconds clock_offset{};
  };

  Result<HttpResponse> try_once(const Call& call, Attempt& attempt);
  Result<HttpRequest> make_request(const Call& call, Attempt& attempt);
  // Nothing: try again now. An error: give up.
  Result<void> recover(const Call& call, Attempt& attempt, const Error& error);
  Result<void> recover_from_answer(const Call& call, Attempt& attempt, const Error& error);
  bool set_clock(const Call& call, Attempt& attempt);
  // An error: `error`, or why there is no newer key.
  Result<void> renew_key(Attempt& attempt, const Error& error);
  Result<void> wait_for_retry(const Call& call, Attempt& attempt, const Error& error, int cost);

  ClientParts parts_;
  std::optional<ServiceError> service_error_;
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_CLIENT_H_
