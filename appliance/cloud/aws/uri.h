// Url: where a request goes, in the form in which it is sent.
//
// Errors   AwsSettings: not a URL that linesign talks to
// Threads  no state, safe anywhere
// Source   RFC 3986
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_URI_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_URI_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace linesign::aws {

constexpr uint16_t kHttpsPort = 443;
constexpr uint16_t kHttpPort = 80;

struct Url {
  bool tls = true;
  std::string host;  // lower-case; an IPv6 address in its brackets
  uint16_t port = kHttpsPort;
  std::string path = "/";  // encoded
  std::string query;       // encoded, without '?'
};

struct QueryParameter {
  std::string name;
  std::string value;
};

enum class Slash : uint8_t { Encode, Keep };

// Everything but A-Z a-z 0-9 - . _ ~ becomes %XX.
std::string percent_encode(std::string_view text, Slash slash = Slash::Encode);

// "name=value&name=", in this order.
std::string encode_query(const std::vector<QueryParameter>& parameters);

// http and https only, no user and no fragment.
Result<Url> parse_url(std::string_view text);

std::string to_string(const Url& url);

// The host, and the port unless it is the scheme's own.
std::string host_header(const Url& url);

// localhost, 127.0.0.0/8, ::1
bool is_loopback(std::string_view host);

std::string to_lower(std::string_view text);

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_URI_H_
