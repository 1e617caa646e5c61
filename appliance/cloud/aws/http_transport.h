// HttpTransport: sends one request and brings its answer, whatever its status.
//
// Errors   AwsUnreachable: nothing of the request left. AwsTimeout, AwsConnectionLost: it may have
//          had its effect. AwsNotTrusted: the server's certificate. AwsAnswerUnreadable: not HTTP,
//          or longer than allowed. AwsSettings: proxy or CA bundle. Interrupted: cancelled. Io: of
//          a file that is sent; the sink's own errors
// Threads  as the implementation says; CurlTransport is safe anywhere
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_HTTP_TRANSPORT_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_HTTP_TRANSPORT_H_

#include "appliance/cloud/aws/http_message.h"

namespace linesign::aws {

class HttpTransport {
 public:
  HttpTransport() = default;
  HttpTransport(const HttpTransport&) = delete;
  HttpTransport& operator=(const HttpTransport&) = delete;
  virtual ~HttpTransport() = default;

  // Blocks until the answer is complete. No redirect is followed.
  virtual Result<HttpResponse> send(const HttpRequest& request) = 0;
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_HTTP_TRANSPORT_H_
