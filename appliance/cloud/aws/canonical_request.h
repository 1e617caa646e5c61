// The canonical request: the one form of an HTTP request that both sides of a signature agree on.
//
// Shape    method \n path \n query \n (name:value \n)… \n names \n hex SHA-256 of the body
// Threads  no state, safe anywhere
// Source   AWS Signature Version 4, "Create a canonical request"
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_CANONICAL_REQUEST_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_CANONICAL_REQUEST_H_

#include <string>
#include <string_view>

#include "appliance/cloud/aws/http_message.h"

namespace linesign::aws {

// S3 signs the path as it is sent. All others take "." and ".." and double slashes out of it and
// encode it once more.
enum class PathRule : uint8_t { Normalize, AsSent };

struct CanonicalRequest {
  std::string text;
  std::string signed_headers;  // "host;x-amz-date"
};

std::string canonical_path(std::string_view sent, PathRule rule);

// Sorted by name, then by value. REQUIRES: encoded with percent_encode.
std::string canonical_query(std::string_view sent);

// Every header that is signed: all of the request but those that proxies may change.
struct CanonicalHeaders {
  std::string lines;  // "name:value\n" of each
  std::string names;  // "name;name"
};
CanonicalHeaders canonical_headers(const HttpRequest& request);

// `payload_hash` is hex SHA-256 of the body, or one of S3's literals.
CanonicalRequest canonical_request(const HttpRequest& request,
                                   PathRule rule,
                                   std::string_view payload_hash);

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_CANONICAL_REQUEST_H_
