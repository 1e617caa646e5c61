#include "protocol/base/plain_text.h"

#include <algorithm>
#include <array>

namespace linesign {
namespace {

bool starts_with(ByteView content, ByteView mark) {
  return content.size() >= mark.size() && equal(content.first(mark.size()), mark);
}

std::string decode_utf16(ByteView content, size_t low_byte) {
  std::string text;
  for (size_t at = 0; at + 1 < content.size(); at += 2) {
    const uint8_t low = content[at + low_byte];
    const bool is_ascii = content[at + 1 - low_byte] == 0 && low < 0x80;
    text.push_back(is_ascii ? static_cast<char>(low) : '?');
  }
  return text;
}

}  // namespace

std::string plain_text(ByteView content) {
  static constexpr std::array<uint8_t, 3> kUtf8 = {0xef, 0xbb, 0xbf};
  static constexpr std::array<uint8_t, 2> kLittle = {0xff, 0xfe};
  static constexpr std::array<uint8_t, 2> kBig = {0xfe, 0xff};
  if (starts_with(content, kUtf8)) return std::string(as_text(content.subspan(kUtf8.size())));
  if (starts_with(content, kLittle)) return decode_utf16(content.subspan(kLittle.size()), 0);
  if (starts_with(content, kBig)) return decode_utf16(content.subspan(kBig.size()), 1);
  // Without a mark: ASCII of which every other byte is zero.
  if (content.size() < 4) return std::string(as_text(content));
  if (content[0] != 0 && content[1] == 0 && content[3] == 0) return decode_utf16(content, 0);
  if (content[0] == 0 && content[1] != 0 && content[2] == 0) return decode_utf16(content, 1);
  return std::string(as_text(content));
}

std::string printable(std::string_view text) {
  constexpr size_t kMaxBytes = 64;
  std::string visible(text.substr(0, kMaxBytes));
  std::replace_if(
      visible.begin(), visible.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return visible;
}

}  // namespace linesign
