#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "hsm/x509/profile_encoding.h"

namespace linesign {
namespace {

constexpr std::string_view kPlaceholder = "{device_id}";
constexpr size_t kMaxDnsNameBytes = 253;  // RFC 1035 section 2.3.4, without the final dot
constexpr size_t kMaxDnsLabelBytes = 63;
constexpr size_t kMaxUriBytes = 1024;

struct KindRow {
  std::string_view prefix;
  AltNameTemplate::Kind kind;
};

constexpr std::array<KindRow, 3> kKinds = {{{"dns:", AltNameTemplate::Kind::Dns},
                                            {"uri:", AltNameTemplate::Kind::Uri},
                                            {"email:", AltNameTemplate::Kind::Email}}};

bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_dns_label(std::string_view label) {
  if (label.empty() || label.size() > kMaxDnsLabelBytes) return false;
  if (label.front() == '-' || label.back() == '-') return false;
  return std::all_of(
      label.begin(), label.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '-'; });
}

// The preferred name syntax of RFC 1034 section 3.5, as RFC 5280 section 4.2.1.6 asks.
bool is_dns_name(std::string_view name) {
  if (name.size() > kMaxDnsNameBytes) return false;
  while (true) {
    const size_t dot = name.find('.');
    if (!is_dns_label(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

bool is_uri_character(char c) {
  return is_letter(c) || is_digit(c) ||
         std::string_view("-._~:/?#[]@!$&'()*+,;=%").find(c) != std::string_view::npos;
}

// A scheme and something after it: RFC 3986 section 3.1, and RFC 5280 forbids relative ones.
bool is_uri(std::string_view uri) {
  const size_t colon = uri.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == uri.size()) return false;
  if (uri.size() > kMaxUriBytes || !is_letter(uri.front())) return false;
  const std::string_view scheme = uri.substr(0, colon);
  const bool scheme_legal = std::all_of(scheme.begin(), scheme.end(), [](char c) {
    return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
  });
  return scheme_legal && std::all_of(uri.begin(), uri.end(), is_uri_character);
}

// local-part@domain: RFC 5321 section 4.1.2, without quoted strings.
bool is_email(std::string_view address) {
  const size_t at = address.find('@');
  if (at == std::string_view::npos || at == 0 || at > 64) return false;
  const std::string_view local = address.substr(0, at);
  if (local.front() == '.' || local.back() == '.' || local.find("..") != std::string_view::npos) {
    return false;
  }
  const bool local_legal = std::all_of(local.begin(), local.end(), [](char c) {
    return is_letter(c) || is_digit(c) ||
           std::string_view("!#$%&'*+-/=?^_`{|}~.").find(c) != std::string_view::npos;
  });
  return local_legal && is_dns_name(address.substr(at + 1));
}

bool is_legal(AltNameTemplate::Kind kind, std::string_view text) {
  switch (kind) {
    case AltNameTemplate::Kind::Dns:
      return is_dns_name(text);
    case AltNameTemplate::Kind::Uri:
      return is_uri(text);
    case AltNameTemplate::Kind::Email:
      return is_email(text);
  }
  return false;
}

Result<AltNameTemplate> parse_alt_name(std::string_view name) {
  const auto* const row = std::find_if(
      kKinds.begin(), kKinds.end(), [&](const auto& r) { return name.starts_with(r.prefix); });
  if (row == kKinds.end()) {
    return fail(ErrorCode::ConfigRange,
                fmt::format("'{}' does not begin with dns:, uri: or email:", name));
  }
  AltNameTemplate parsed;
  parsed.kind = row->kind;
  std::string_view rest = name.substr(row->prefix.size());
  for (size_t at = rest.find(kPlaceholder); at != std::string_view::npos;
       at = rest.find(kPlaceholder)) {
    parsed.pieces.emplace_back(rest.substr(0, at));
    rest.remove_prefix(at + kPlaceholder.size());
  }
  parsed.pieces.emplace_back(rest);
  // The shortest device id shows whether the fixed part is legal; braces that are left are not.
  const bool braces = std::any_of(parsed.pieces.begin(), parsed.pieces.end(), [](const auto& p) {
    return p.find_first_of("{}") != std::string::npos;
  });
  if (braces || !is_legal(parsed.kind, parsed.text("a"))) {
    return fail(ErrorCode::ConfigRange,
                fmt::format("'{}' is not legal; only {{device_id}} is put in", name));
  }
  return parsed;
}

}  // namespace

std::string AltNameTemplate::text(std::string_view device_id) const {
  std::string out = pieces.front();
  for (size_t i = 1; i < pieces.size(); ++i) {
    out += device_id;
    out += pieces[i];
  }
  return out;
}

Result<std::vector<AltNameTemplate>> parse_alt_names(const std::vector<std::string>& names) {
  std::vector<AltNameTemplate> parsed;
  for (const std::string& name : names) {
    if (std::count(names.begin(), names.end(), name) > 1) {
      return fail(ErrorCode::ConfigRange, "a value stands there twice");
    }
    LS_TRY(AltNameTemplate one, parse_alt_name(name));
    parsed.push_back(std::move(one));
  }
  return parsed;
}

Result<void> check_alt_name(AltNameTemplate::Kind kind, std::string_view text) {
  if (!is_legal(kind, text)) {
    return fail(ErrorCode::DeviceIdInvalid,
                "with it a subject alternative name of the profile would not be legal");
  }
  return {};
}

}  // namespace linesign
