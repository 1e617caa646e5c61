#include "appliance/admin/server/http_text.h"

#include <sstream>

#include <Poco/Exception.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>

namespace linesign {

Result<std::optional<HttpHead>> read_head(std::string_view text) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  const size_t end = text.find(kEnd);
  const bool is_complete = end != std::string_view::npos;
  if ((is_complete ? end : text.size()) > kMaxHeadBytes)
    return fail(ErrorCode::InputInvalid, "the head of the request is too long");
  if (!is_complete) return std::optional<HttpHead>();
  HttpHead head;
  head.head_bytes = end + kEnd.size();
  try {
    std::istringstream in{std::string(text.substr(0, head.head_bytes))};
    Poco::Net::HTTPRequest request;
    request.read(in);
    if (request.getChunkedTransferEncoding())
      return fail(ErrorCode::InputInvalid, "chunks are not supported; send Content-Length");
    head.method = request.getMethod();
    head.path = request.getURI();
    const auto length = request.hasContentLength() ? request.getContentLength64() : 0;
    if (length < 0) return fail(ErrorCode::InputInvalid, "Content-Length");
    head.body_bytes = static_cast<size_t>(length);
  } catch (const Poco::Exception& exception) {
    return fail(ErrorCode::InputInvalid, "not HTTP: " + exception.displayText());
  }
  return std::optional<HttpHead>(std::move(head));
}

std::string to_http(const Answer& answer) {
  Poco::Net::HTTPResponse response(Poco::Net::HTTPMessage::HTTP_1_1, answer.status);
  response.setContentType("application/json");
  response.setKeepAlive(false);
  response.setContentLength(static_cast<std::streamsize>(answer.body.size()));
  if (!answer.allow.empty()) response.set("Allow", answer.allow);
  std::ostringstream out;
  response.write(out);
  return std::move(out).str() + answer.body;
}

}  // namespace linesign
