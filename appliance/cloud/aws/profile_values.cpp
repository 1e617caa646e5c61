#include "appliance/cloud/aws/profile_values.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace linesign::aws {
namespace {

// White space of more than one byte: U+0085, U+00A0 (copied from a web page), U+1680, U+2000 to
// U+200A, U+2028, U+2029, U+202F, U+205F, U+3000.
constexpr std::array<std::string_view, 19> kWideSpaces = {"\xc2\x85",
                                                          "\xc2\xa0",
                                                          "\xe1\x9a\x80",
                                                          "\xe2\x80\x80",
                                                          "\xe2\x80\x81",
                                                          "\xe2\x80\x82",
                                                          "\xe2\x80\x83",
                                                          "\xe2\x80\x84",
                                                          "\xe2\x80\x85",
                                                          "\xe2\x80\x86",
                                                          "\xe2\x80\x87",
                                                          "\xe2\x80\x88",
                                                          "\xe2\x80\x89",
                                                          "\xe2\x80\x8a",
                                                          "\xe2\x80\xa8",
                                                          "\xe2\x80\xa9",
                                                          "\xe2\x80\xaf",
                                                          "\xe2\x81\x9f",
                                                          "\xe3\x80\x80"};

// What linesign reads of a profile and where neither a comment nor a second line has a place: not a
// command, which may hold anything.
constexpr std::array<std::string_view, 18> kPlainKeys = {"ca_bundle",
                                                         "credential_source",
                                                         "duration_seconds",
                                                         "endpoint_url",
                                                         "external_id",
                                                         "ignore_configured_endpoint_urls",
                                                         "max_attempts",
                                                         "mfa_serial",
                                                         "region",
                                                         "role_arn",
                                                         "role_session_name",
                                                         "services",
                                                         "source_profile",
                                                         "sts_regional_endpoints",
                                                         "use_dualstack_endpoint",
                                                         "use_fips_endpoint",
                                                         "web_identity_token_file",
                                                         "aws_account_id"};

constexpr std::string_view kAccessKeyId = "aws_access_key_id";

bool is_visible(char c) { return c > ' ' && c < 0x7f; }

bool is_of_key_id(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// RFC 3629 section 4: how a character of so many bytes begins; its other bytes are 0x80 to 0xbf.
struct Utf8Form {
  uint8_t first;  // from
  uint8_t last;   // to
  uint8_t low;    // of the second byte
  uint8_t high;
  size_t bytes;
};
constexpr std::array<Utf8Form, 9> kUtf8Forms = {{{0x00, 0x7f, 0x00, 0xff, 1},
                                                 {0xc2, 0xdf, 0x80, 0xbf, 2},
                                                 {0xe0, 0xe0, 0xa0, 0xbf, 3},
                                                 {0xe1, 0xec, 0x80, 0xbf, 3},
                                                 {0xed, 0xed, 0x80, 0x9f, 3},
                                                 {0xee, 0xef, 0x80, 0xbf, 3},
                                                 {0xf0, 0xf0, 0x90, 0xbf, 4},
                                                 {0xf1, 0xf3, 0x80, 0xbf, 4},
                                                 {0xf4, 0xf4, 0x80, 0x8f, 4}}};

// Bytes of the character that a text begins with; 0: none. REQUIRES: it is not empty.
size_t leading_character(std::string_view text) {
  const auto byte = [text](size_t at) { return static_cast<uint8_t>(text[at]); };
  const auto* const form =
      std::find_if(kUtf8Forms.begin(), kUtf8Forms.end(), [&](const Utf8Form& each) {
        return byte(0) >= each.first && byte(0) <= each.last;
      });
  if (form == kUtf8Forms.end() || text.size() < form->bytes) return 0;
  if (form->bytes > 1 && (byte(1) < form->low || byte(1) > form->high)) return 0;
  for (size_t i = 2; i < form->bytes; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  return form->bytes;
}

bool has_comment(std::string_view value) {
  for (size_t i = 1; i < value.size(); ++i) {
    if ((value[i] == '#' || value[i] == ';') && (value[i - 1] == ' ' || value[i - 1] == '\t'))
      return true;
  }
  return false;
}

}  // namespace

size_t leading_space(std::string_view text) {
  if (text.empty()) return 0;
  const char c = text.front();
  if (c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f)) return 1;
  const auto* const wide =
      std::find_if(kWideSpaces.begin(), kWideSpaces.end(), [&](std::string_view each) {
        return text.starts_with(each);
      });
  return wide != kWideSpaces.end() ? wide->size() : 0;
}

std::string_view strip(std::string_view text) {
  while (const size_t length = leading_space(text)) text.remove_prefix(length);
  size_t end = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t space = leading_space(text.substr(at));
    at += std::max<size_t>(space, 1);
    if (space == 0) end = at;
  }
  return text.substr(0, end);
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = leading_character(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool is_secret_key(std::string_view key) {
  return key == "aws_secret_access_key" || key == "aws_session_token" ||
         key == "aws_security_token";
}

std::string_view value_fault(std::string_view key, std::string_view value) {
  const bool is_key_id = key == kAccessKeyId;
  const bool is_of_key = is_key_id || is_secret_key(key);
  const bool is_plain = std::find(kPlainKeys.begin(), kPlainKeys.end(), key) != kPlainKeys.end();
  if (!is_of_key && !is_plain) return {};
  if (value.find('\n') != std::string_view::npos)
    return "the indented line below it is part of the value: begin every key in the same column";
  if (has_comment(value))
    return "a comment after a value is part of the value: give it a line of its own";
  if (!is_of_key) return {};
  if (value.empty()) return "the value is empty";
  if (is_key_id && !std::all_of(value.begin(), value.end(), is_of_key_id))
    return "an access key id has only letters and digits, without quotes and spaces";
  if (!std::all_of(value.begin(), value.end(), is_visible))
    return "the value holds a space or a character that no key has";
  return {};
}

}  // namespace linesign::aws
