// ServiceError: what AWS answers instead of what was asked for, from all of its forms.
//
// Shape    rest-json: header x-amzn-ErrorType or members code, __type; XML: Code and Message inside
//          Error. An error without a body is named by its status
// Secrets  the canonical request that a wrong signature is answered with is cut off: it repeats the
//          session token
// Threads  plain values
// Source   AWS service models; docs/errors.md for what each becomes
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_SERVICE_ERROR_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_SERVICE_ERROR_H_

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "appliance/cloud/aws/error_codes.h"
#include "appliance/cloud/aws/http_message.h"
#include "appliance/cloud/aws/service.h"
#include "protocol/base/clock.h"
#include "protocol/base/error.h"

namespace linesign::aws {

struct ServiceError {
  int status = 0;
  std::string code;         // "ThrottlingException"
  std::string message;      // one printable line of at most 500 bytes
  std::string request_id;   // what AWS's support asks for
  std::string resource_id;  // of what exists already
  std::string resource_arn;
  std::string region;          // where S3 says the bucket is
  bool is_unreadable = false;  // AWS IoT names a code in each refusal, and here is none
  std::optional<std::chrono::milliseconds> retry_after;
  std::optional<UnixTime> server_time;
};

// REQUIRES: the answer is no success.
ServiceError read_service_error(const HttpResponse& response, Service service);

// What the code means, else the status; AwsAnswerUnreadable where neither says anything.
CodeMeaning meaning_of(const ServiceError& error);

// Did something on the way answer: a login page, a proxy, a web server that is not AWS? Every
// answer of AWS names a request id, and none has a web page for a body.
bool is_foreign(const HttpResponse& response);

std::string_view request_id_of(const HttpResponse& response);

// "CreateThing: ThrottlingException: Rate exceeded (HTTP 400, request 1234)"
Error to_error(const ServiceError& error, std::string_view operation);

// The beginning of `text`, with a space for everything that is not printable ASCII.
std::string one_line(std::string_view text, size_t max_bytes);

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_SERVICE_ERROR_H_
