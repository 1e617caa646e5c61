#include "hsm/x509/directory_string.h"

#include <algorithm>
#include <optional>

#include "hsm/x509/der_reader.h"

namespace linesign {
namespace {

constexpr char32_t kMaxCodePoint = 0x10ffff;

bool is_surrogate(char32_t c) { return c >= 0xd800 && c <= 0xdfff; }

// C0, DEL and C1: nothing that could end a line, a field or a string elsewhere.
bool is_control(char32_t c) { return c < 0x20 || (c >= 0x7f && c < 0xa0); }

bool is_printable_character(char32_t c) {
  if (c >= 0x80) return false;
  const bool alphanumeric =
      (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  return alphanumeric ||
         std::string_view(" '()+,-./:=?").find(static_cast<char>(c)) != std::string_view::npos;
}

bool may_hold(uint8_t tag, char32_t c) {
  switch (tag) {
    case der::kPrintableString:
      return is_printable_character(c);
    case der::kNumericString:
      return c == ' ' || (c >= '0' && c <= '9');
    case der::kIa5String:
    case der::kVisibleString:
      return c < 0x80;
    default:
      return true;
  }
}

// Takes the next code point of UTF-8 off the front. RFC 3629 section 4.
std::optional<char32_t> take_utf8(ByteView& rest) {
  const uint8_t first = rest[0];
  if (first < 0x80) {
    rest = rest.subspan(1);
    return first;
  }
  const size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || rest.size() < size) return std::nullopt;
  char32_t c = first & (0x7fU >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((rest[i] & 0xc0U) != 0x80) return std::nullopt;
    c = (c << 6U) | (rest[i] & 0x3fU);
  }
  const char32_t smallest = size == 4 ? 0x10000 : size == 3 ? 0x800 : 0x80;
  if (c < smallest || c > kMaxCodePoint || is_surrogate(c)) return std::nullopt;
  rest = rest.subspan(size);
  return c;
}

// Takes a big-endian code unit of 1, 2 or 4 bytes.
std::optional<char32_t> take_fixed(ByteView& rest, size_t size) {
  if (rest.size() < size) return std::nullopt;
  char32_t c = 0;
  for (size_t i = 0; i < size; ++i) c = (c << 8U) | rest[i];
  if (c > kMaxCodePoint || is_surrogate(c)) return std::nullopt;
  rest = rest.subspan(size);
  return c;
}

std::optional<char32_t> take_character(uint8_t tag, ByteView& rest) {
  switch (tag) {
    case der::kUtf8String:
      return take_utf8(rest);
    case der::kBmpString:
      return take_fixed(rest, 2);
    case der::kUniversalString:
      return take_fixed(rest, 4);
    default:
      return take_fixed(rest, 1);
  }
}

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
    return;
  }
  const unsigned tail = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  const unsigned lead = tail == 1 ? 0xc0U : tail == 2 ? 0xe0U : 0xf0U;
  out += static_cast<char>(lead | (c >> (6U * tail)));
  for (unsigned i = tail; i > 0; --i) {
    out += static_cast<char>(0x80U | ((c >> (6U * (i - 1))) & 0x3fU));
  }
}

template <typename Visit>
Result<void> for_each_character(uint8_t tag, ByteView content, Visit visit) {
  if (content.empty()) return fail(ErrorCode::CsrSubjectInvalid, "an empty string");
  while (!content.empty()) {
    const auto c = take_character(tag, content);
    if (!c) return fail(ErrorCode::CsrSubjectInvalid, "a string that is not validly encoded");
    if (is_control(*c)) return fail(ErrorCode::CsrSubjectInvalid, "a NUL or control character");
    if (!may_hold(tag, *c)) {
      return fail(ErrorCode::CsrSubjectInvalid, "a character that its string type does not allow");
    }
    visit(*c);
  }
  return {};
}

}  // namespace

bool is_directory_string(uint8_t tag) {
  switch (tag) {
    case der::kUtf8String:
    case der::kNumericString:
    case der::kPrintableString:
    case der::kT61String:
    case der::kIa5String:
    case der::kVisibleString:
    case der::kUniversalString:
    case der::kBmpString:
      return true;
    default:
      return false;
  }
}

Result<Text> decode_directory_string(uint8_t tag, ByteView content) {
  Text text;
  LS_CHECK(for_each_character(tag, content, [&](char32_t c) {
    append_utf8(text.utf8, c);
    ++text.characters;
  }));
  return text;
}

Result<void> check_directory_string(uint8_t tag, ByteView content) {
  return for_each_character(tag, content, [](char32_t) {});
}

bool is_printable_string(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return is_printable_character(static_cast<unsigned char>(c));
  });
}

}  // namespace linesign
