#include "appliance/cloud/aws/canonical_request.h"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include <fmt/format.h>

namespace linesign::aws {
namespace {

// Parts between proxies and servers may change these.
constexpr std::array<std::string_view, 11> kNeverSigned = {"authorization",
                                                           "connection",
                                                           "expect",
                                                           "keep-alive",
                                                           "te",
                                                           "trailer",
                                                           "transfer-encoding",
                                                           "upgrade",
                                                           "user-agent",
                                                           "x-amzn-trace-id",
                                                           "host"};  // comes from the URL

bool is_signed(std::string_view name) {
  return !name.starts_with("proxy-") &&
         std::find(kNeverSigned.begin(), kNeverSigned.end(), name) == kNeverSigned.end();
}

// Trimmed, and inner runs of white space as one space.
std::string squeeze(std::string_view value) {
  std::string text;
  for (const char c : value) {
    const bool is_space = c == ' ' || c == '\t' || c == '\r' || c == '\n';
    if (!is_space) {
      text += c;
    } else if (!text.empty() && text.back() != ' ') {
      text += ' ';
    }
  }
  if (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

std::string normalize(std::string_view path) {
  std::vector<std::string_view> kept;
  bool ends_open = false;  // with a slash
  size_t from = 0;
  while (from <= path.size()) {
    const size_t slash = std::min(path.find('/', from), path.size());
    const std::string_view segment = path.substr(from, slash - from);
    ends_open = segment.empty() || segment == "." || segment == "..";
    if (segment == ".." && !kept.empty()) kept.pop_back();
    if (!ends_open) kept.push_back(segment);
    from = slash + 1;
  }
  std::string normal;
  for (const std::string_view segment : kept) normal.append("/").append(segment);
  if (ends_open || normal.empty()) normal += '/';
  return normal;
}

}  // namespace

std::string canonical_path(std::string_view sent, PathRule rule) {
  if (sent.empty()) return "/";
  if (rule == PathRule::AsSent) return std::string(sent);
  return percent_encode(normalize(sent), Slash::Keep);
}

std::string canonical_query(std::string_view sent) {
  std::vector<std::pair<std::string_view, std::string_view>> parameters;
  size_t from = 0;
  while (from < sent.size()) {
    const size_t end = std::min(sent.find('&', from), sent.size());
    const std::string_view parameter = sent.substr(from, end - from);
    const size_t equals = std::min(parameter.find('='), parameter.size());
    if (!parameter.empty()) {
      parameters.emplace_back(parameter.substr(0, equals),
                              parameter.substr(std::min(equals + 1, parameter.size())));
    }
    from = end + 1;
  }
  std::sort(parameters.begin(), parameters.end());
  std::string query;
  for (const auto& [name, value] : parameters) {
    if (!query.empty()) query += '&';
    query.append(name).append("=").append(value);
  }
  return query;
}

CanonicalHeaders canonical_headers(const HttpRequest& request) {
  std::map<std::string, std::string> values;
  values["host"] = host_header(request.url);
  for (const HttpHeader& header : request.headers) {
    const std::string name = to_lower(header.name);
    if (!is_signed(name)) continue;
    const auto [place, is_first] = values.try_emplace(name, squeeze(header.value));
    if (!is_first) place->second += "," + squeeze(header.value);
  }
  CanonicalHeaders headers;
  for (const auto& [name, value] : values) {
    headers.lines.append(name).append(":").append(value).append("\n");
    if (!headers.names.empty()) headers.names += ';';
    headers.names += name;
  }
  return headers;
}

CanonicalRequest canonical_request(const HttpRequest& request,
                                   PathRule rule,
                                   std::string_view payload_hash) {
  CanonicalHeaders headers = canonical_headers(request);
  return {fmt::format("{}\n{}\n{}\n{}\n{}\n{}",
                      request.method,
                      canonical_path(request.url.path, rule),
                      canonical_query(request.url.query),
                      headers.lines,
                      headers.names,
                      payload_hash),
          std::move(headers.names)};
}

}  // namespace linesign::aws
