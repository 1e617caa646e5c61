// HttpRequest, HttpResponse: one exchange over HTTP 1.1.
//
// Limits   an answer longer than max_answer_bytes is an error, found without keeping it
// Secrets  headers and queries may carry tokens and signatures: none of them is logged or put into
//          an error
// Threads  plain values
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_HTTP_MESSAGE_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_HTTP_MESSAGE_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/cloud/aws/uri.h"
#include "protocol/base/result.h"

namespace linesign::aws {

constexpr uint64_t kMaxAnswerBytes = 4 * 1024 * 1024;

struct HttpHeader {
  std::string name;
  std::string value;
};

// A file that is sent as the body, from its beginning.
struct BodyFile {
  int fd = -1;  // borrowed; read with pread
  uint64_t size_bytes = 0;
};

struct HttpTimeouts {
  std::chrono::milliseconds connect{10'000};
  std::chrono::milliseconds total{60'000};  // 0: as long as bytes flow
  std::chrono::seconds stalled{60};         // less than a byte a second for so long
};

struct HttpRequest {
  std::string method = "GET";
  Url url;
  std::vector<HttpHeader> headers;  // Host comes from the URL
  std::string body;
  std::optional<BodyFile> body_file;  // in place of `body`
  // Takes the body of an answer with status 2xx piece by piece; its error ends the transfer. An
  // empty piece comes first: what was taken before it belongs to a try that failed.
  std::function<Result<void>(std::string_view)> sink;
  uint64_t max_answer_bytes = kMaxAnswerBytes;
  HttpTimeouts timeouts;
  bool direct = false;  // around every proxy
  // On a connection of its own, because a request that must not reach the server twice may not
  // start on one that the server might be closing.
  bool own_connection = false;
};

struct HttpResponse {
  int status = 0;
  std::vector<HttpHeader> headers;  // names in lower case
  std::string body;

  bool is_success() const { return status >= 200 && status < 300; }
  // Empty if there is none; `name` in lower case.
  std::string_view header(std::string_view name) const;
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_HTTP_MESSAGE_H_
