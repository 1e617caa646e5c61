// HttpText: requests and answers of HTTP/1.1 as text. Their grammar is Poco's; here is only where a
// request ends.
//
// Limits   kMaxHeadBytes; the body is limited by whoever knows what is asked
// Errors   InputInvalid: not HTTP, or a part of it that nobody needs on this socket (chunks)
// Threads  no state
// Source   RFC 9112
#ifndef LINESIGN_APPLIANCE_ADMIN_SERVER_HTTP_TEXT_H_
#define LINESIGN_APPLIANCE_ADMIN_SERVER_HTTP_TEXT_H_

#include <optional>
#include <string>
#include <string_view>

#include "appliance/admin/server/admin_routes.h"
#include "protocol/base/result.h"

namespace linesign {

constexpr size_t kMaxHeadBytes = 8 * 1024;

struct HttpHead {
  std::string method;
  std::string path;
  size_t head_bytes = 0;  // of the text, with the empty line
  size_t body_bytes = 0;
};

// Absent: the head is not complete yet.
Result<std::optional<HttpHead>> read_head(std::string_view text);

std::string to_http(const Answer& answer);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ADMIN_SERVER_HTTP_TEXT_H_
