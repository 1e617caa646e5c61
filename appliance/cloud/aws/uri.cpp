#include "appliance/cloud/aws/uri.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

namespace linesign::aws {
namespace {

constexpr size_t kMaxUrlBytes = 16 * 1024;

constexpr bool is_letter_or_digit(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

constexpr bool is_unreserved(char c) {
  return is_letter_or_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

bool is_host(std::string_view host) {
  const bool is_ipv6 = host.size() > 2 && host.front() == '[' && host.back() == ']';
  const std::string_view name = is_ipv6 ? host.substr(1, host.size() - 2) : host;
  return !name.empty() && std::all_of(name.begin(), name.end(), [is_ipv6](char c) {
    return is_letter_or_digit(c) || c == '-' || c == '.' || c == '_' || (is_ipv6 && c == ':');
  });
}

std::optional<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

// The text is not shown: a URL can carry a signature.
tl::unexpected<Error> not_a_url(std::string_view why) {
  return fail(ErrorCode::AwsSettings, fmt::format("a URL: {}", why));
}

Result<void> read_authority(std::string_view authority, Url& url) {
  // The last colon that is not inside an IPv6 address.
  const size_t colon = authority.rfind(':');
  const bool has_port =
      colon != std::string_view::npos &&
      (authority.find(']') == std::string_view::npos || colon > authority.find(']'));
  url.host = to_lower(has_port ? authority.substr(0, colon) : authority);
  if (!is_host(url.host)) return not_a_url("the host is not a name or address");
  if (!has_port) return {};
  const auto port = parse_port(authority.substr(colon + 1));
  if (!port) return not_a_url("the port is not a number from 1 to 65535");
  url.port = *port;
  return {};
}

}  // namespace

std::string to_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string percent_encode(std::string_view text, Slash slash) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c) || (c == '/' && slash == Slash::Keep)) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<uint8_t>(c);
    encoded += '%';
    encoded += kDigits[byte >> 4U];
    encoded += kDigits[byte & 0x0fU];
  }
  return encoded;
}

std::string encode_query(const std::vector<QueryParameter>& parameters) {
  std::string query;
  for (const QueryParameter& parameter : parameters) {
    if (!query.empty()) query += '&';
    query += percent_encode(parameter.name);
    query += '=';
    query += percent_encode(parameter.value);
  }
  return query;
}

Result<Url> parse_url(std::string_view text) {
  if (text.size() > kMaxUrlBytes) return not_a_url("it is too long");
  for (const char c : text) {
    if (c <= ' ' || c > '~' || c == '#')
      return not_a_url("it holds a space, a '#' or a strange byte");
  }
  Url url;
  const std::string start = to_lower(text.substr(0, 8));
  size_t from = 0;
  if (start == "https://") {
    from = 8;
  } else if (start.starts_with("http://")) {
    from = 7;
    url.tls = false;
    url.port = kHttpPort;
  } else {
    return not_a_url("it does not begin with https:// or http://");
  }
  std::string_view rest = text.substr(from);
  const size_t end = std::min(rest.find_first_of("/?"), rest.size());
  const std::string_view authority = rest.substr(0, end);
  if (authority.find('@') != std::string_view::npos) return not_a_url("it names a user");
  LS_CHECK(read_authority(authority, url));
  rest.remove_prefix(end);
  const size_t mark = std::min(rest.find('?'), rest.size());
  if (mark > 0) url.path = std::string(rest.substr(0, mark));
  if (mark < rest.size()) url.query = std::string(rest.substr(mark + 1));
  return url;
}

std::string host_header(const Url& url) {
  const uint16_t own = url.tls ? kHttpsPort : kHttpPort;
  return url.port == own ? url.host : fmt::format("{}:{}", url.host, url.port);
}

std::string to_string(const Url& url) {
  std::string text =
      fmt::format("{}://{}{}", url.tls ? "https" : "http", host_header(url), url.path);
  if (!url.query.empty()) text += "?" + url.query;
  return text;
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "[::1]" || host == "::1" ||
         (host.starts_with("127.") &&
          host.find_first_not_of("0123456789.") == std::string_view::npos);
}

}  // namespace linesign::aws
