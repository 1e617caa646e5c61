#include "hsm/x509/der_writer.h"

#include <charconv>
#include <vector>

#include "hsm/x509/der_reader.h"

namespace linesign {
namespace {

constexpr size_t kMaxObjectIdNumbers = 32;

// How many bytes follow 0x80 | count; 0 for the short form.
size_t length_bytes(size_t content_bytes) {
  if (content_bytes < 0x80) return 0;
  size_t count = 1;
  while ((content_bytes >>= 8U) != 0) ++count;
  return count;
}

std::optional<std::vector<uint32_t>> parse_dotted(std::string_view dotted) {
  std::vector<uint32_t> numbers;
  while (true) {
    const size_t dot = dotted.find('.');
    const std::string_view part = dotted.substr(0, dot);
    uint32_t number = 0;
    const auto [end, problem] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (problem != std::errc{} || end != part.data() + part.size()) return std::nullopt;
    if (part.size() > 1 && part[0] == '0') return std::nullopt;
    numbers.push_back(number);
    if (dot == std::string_view::npos) break;
    dotted.remove_prefix(dot + 1);
  }
  const bool legal = numbers.size() >= 2 && numbers.size() <= kMaxObjectIdNumbers &&
                     numbers[0] <= 2 && (numbers[0] == 2 || numbers[1] < 40);
  if (!legal) return std::nullopt;
  return numbers;
}

void append_base128(Bytes& out, uint64_t number) {
  int groups = 1;
  for (uint64_t rest = number >> 7U; rest != 0; rest >>= 7U) ++groups;
  while (groups-- > 0) {
    const auto group =
        static_cast<uint8_t>((number >> (7U * static_cast<unsigned>(groups))) & 0x7f);
    out.push_back(groups > 0 ? static_cast<uint8_t>(group | 0x80U) : group);
  }
}

}  // namespace

size_t der_size(size_t content_bytes) { return 2 + length_bytes(content_bytes) + content_bytes; }

void append(Bytes& out, ByteView bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

void append_header(Bytes& out, uint8_t tag, size_t content_bytes) {
  out.push_back(tag);
  const size_t count = length_bytes(content_bytes);
  if (count == 0) {
    out.push_back(static_cast<uint8_t>(content_bytes));
    return;
  }
  out.push_back(static_cast<uint8_t>(0x80U | count));
  for (size_t i = count; i > 0; --i) {
    out.push_back(static_cast<uint8_t>(content_bytes >> (8U * (i - 1))));
  }
}

void append_element(Bytes& out, uint8_t tag, ByteView content) {
  append_header(out, tag, content.size());
  append(out, content);
}

Bytes make_element(uint8_t tag, std::initializer_list<ByteView> parts) {
  size_t content_bytes = 0;
  for (const ByteView part : parts) content_bytes += part.size();
  Bytes out;
  out.reserve(der_size(content_bytes));
  append_header(out, tag, content_bytes);
  for (const ByteView part : parts) append(out, part);
  return out;
}

std::optional<Bytes> encode_object_id(std::string_view dotted) {
  const auto numbers = parse_dotted(dotted);
  if (!numbers) return std::nullopt;
  Bytes content;
  append_base128(content, uint64_t{(*numbers)[0]} * 40 + (*numbers)[1]);
  for (size_t i = 2; i < numbers->size(); ++i) append_base128(content, (*numbers)[i]);
  return make_element(der::kObjectId, content);
}

}  // namespace linesign
