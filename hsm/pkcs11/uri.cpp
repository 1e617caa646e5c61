#include "hsm/pkcs11/uri.h"

#include <array>
#include <optional>
#include <set>

#include <fmt/format.h>

namespace linesign {
namespace {

constexpr std::string_view kScheme = "pkcs11:";

struct TextAttribute {
  std::string_view name;
  std::string Pkcs11Uri::*field;
};

constexpr std::array<TextAttribute, 5> kPathAttributes = {{
    {"token", &Pkcs11Uri::token},
    {"serial", &Pkcs11Uri::serial},
    {"manufacturer", &Pkcs11Uri::manufacturer},
    {"model", &Pkcs11Uri::model},
    {"object", &Pkcs11Uri::object},
}};

constexpr std::array<TextAttribute, 2> kQueryAttributes = {{
    {"module-path", &Pkcs11Uri::module_path},
    {"pin-source", &Pkcs11Uri::pin_source},
}};

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

// RFC 7512 section 2.3: unreserved characters and these; everything else is percent-encoded.
bool is_plain(char c, std::string_view also) {
  const bool alphanumeric =
      (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return alphanumeric || std::string_view("-._~:[]@!$'()*+,=").find(c) != std::string_view::npos ||
         also.find(c) != std::string_view::npos;
}

std::optional<std::string> percent_decode(std::string_view text, std::string_view also) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      if (!is_plain(text[i], also)) return std::nullopt;
      decoded.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_value(text[i + 1]);
    const int low = hex_value(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    decoded.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return decoded;
}

struct Pair {
  std::string_view name;
  std::string value;
};

// Splits at `separator` and hands every name and decoded value to `take`.
template <typename Take>
Result<void> for_each_attribute(std::string_view part,
                                char separator,
                                std::string_view also,
                                Take take) {
  std::set<std::string_view> seen;
  while (!part.empty()) {
    const size_t end = part.find(separator);
    const std::string_view item = part.substr(0, end);
    part = end == std::string_view::npos ? std::string_view() : part.substr(end + 1);
    const size_t equals = item.find('=');
    if (equals == std::string_view::npos || equals == 0)
      return fail(ErrorCode::InputInvalid, fmt::format("pkcs11 URI: '{}' is not name=value", item));
    const std::string_view name = item.substr(0, equals);
    if (!seen.insert(name).second)
      return fail(ErrorCode::InputInvalid, fmt::format("pkcs11 URI: '{}' stands twice", name));
    const auto value = percent_decode(item.substr(equals + 1), also);
    if (!value)
      return fail(ErrorCode::InputInvalid,
                  fmt::format("pkcs11 URI: the value of '{}' is not percent-encoded", name));
    LS_CHECK(take(Pair{name, *value}));
  }
  return {};
}

template <size_t N>
bool store_text(const std::array<TextAttribute, N>& table, const Pair& pair, Pkcs11Uri& uri) {
  for (const TextAttribute& row : table) {
    if (row.name != pair.name) continue;
    uri.*row.field = pair.value;
    return true;
  }
  return false;
}

bool has_control(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return true;
  return false;
}

Result<void> take_path_attribute(const Pair& pair, Pkcs11Uri& uri) {
  if (pair.name == "id") {
    uri.id = to_bytes(pair.value);
    return {};
  }
  if (pair.name == "type") {
    if (pair.value == "private") return {};
    return fail(ErrorCode::InputInvalid, "pkcs11 URI: type must be 'private' or absent");
  }
  if (has_control(pair.value))
    return fail(ErrorCode::InputInvalid,
                fmt::format("pkcs11 URI: '{}' holds a control character", pair.name));
  if (store_text(kPathAttributes, pair, uri)) return {};
  return fail(ErrorCode::InputInvalid,
              fmt::format("pkcs11 URI: '{}' is not supported; token, serial, object and id choose "
                          "the key",
                          pair.name));
}

Result<void> take_query_attribute(const Pair& pair, Pkcs11Uri& uri) {
  if (pair.name == "pin-value")
    return fail(ErrorCode::InputInvalid,
                "pkcs11 URI: pin-value is not taken, a PIN does not belong here; use pin-source");
  if (!has_control(pair.value) && store_text(kQueryAttributes, pair, uri)) return {};
  return fail(ErrorCode::InputInvalid, fmt::format("pkcs11 URI: '{}' is not supported", pair.name));
}

// "file:/path" and "file:///path" both name a local file (RFC 8089).
std::string strip_file_scheme(std::string_view source) {
  constexpr std::string_view kFile = "file:";
  if (!source.starts_with(kFile)) return std::string(source);
  source.remove_prefix(kFile.size());
  if (source.starts_with("///")) source.remove_prefix(2);
  return std::string(source);
}

Result<void> check_absolute(std::string_view name, const std::string& path) {
  if (path.empty() || (path.front() == '/' && !path.starts_with("//"))) return {};
  return fail(ErrorCode::InputInvalid,
              fmt::format("pkcs11 URI: {} must be an absolute path of a file", name));
}

}  // namespace

Result<Pkcs11Uri> parse_pkcs11_uri(std::string_view text) {
  if (text.size() > kMaxUriBytes)
    return fail(ErrorCode::InputInvalid,
                fmt::format("pkcs11 URI: longer than {} bytes", kMaxUriBytes));
  if (!text.starts_with(kScheme))
    return fail(ErrorCode::InputInvalid, "pkcs11 URI: does not begin with 'pkcs11:'");
  text.remove_prefix(kScheme.size());
  const size_t question = text.find('?');
  Pkcs11Uri uri;
  LS_CHECK(for_each_attribute(text.substr(0, question), ';', "&", [&uri](const Pair& pair) {
    return take_path_attribute(pair, uri);
  }));
  if (question != std::string_view::npos)
    LS_CHECK(for_each_attribute(text.substr(question + 1), '&', "/?|", [&uri](const Pair& pair) {
      return take_query_attribute(pair, uri);
    }));
  uri.pin_source = strip_file_scheme(uri.pin_source);
  LS_CHECK(check_absolute("module-path", uri.module_path));
  LS_CHECK(check_absolute("pin-source", uri.pin_source));
  return uri;
}

}  // namespace linesign
