#include "hsm/x509/der_reader.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace linesign {
namespace {

constexpr size_t kMaxReaderDepth = 32;
constexpr uint8_t kConstructed = 0x20;
constexpr uint8_t kClassMask = 0xc0;
constexpr uint8_t kTagNumberMask = 0x1f;

struct Header {
  uint8_t tag = 0;
  size_t header_bytes = 0;
  size_t content_bytes = 0;
};

// The header of the element at the front of `der`, or why there is none. A null `*problem` on
// return means success; no Result, because this runs for every element of every CSR.
Header read_header(ByteView der, const char** problem) {
  Header header;
  if (der.size() < 2) {
    *problem = "the element is cut off";
    return header;
  }
  header.tag = der[0];
  if ((header.tag & kTagNumberMask) == kTagNumberMask || header.tag == 0) {
    *problem = "the tag is not one that can stand here";
    return header;
  }
  const uint8_t first = der[1];
  if (first < 0x80) {
    header.header_bytes = 2;
    header.content_bytes = first;
  } else {
    const size_t count = first & 0x7fU;
    if (count == 0) {
      *problem = "the length is indefinite";
      return header;
    }
    if (count > 3 || der.size() < 2 + count) {
      *problem = "the length runs past the end";
      return header;
    }
    for (size_t i = 0; i < count; ++i) {
      header.content_bytes = (header.content_bytes << 8U) | der[2 + i];
    }
    if (der[2] == 0 || header.content_bytes < 0x80) {
      *problem = "the length is not in its shortest form";
      return header;
    }
    header.header_bytes = 2 + count;
  }
  if (header.content_bytes > der.size() - header.header_bytes) {
    *problem = "the length runs past the end";
  }
  return header;
}

bool is_minimal_integer(ByteView content) {
  if (content.empty()) return false;
  if (content.size() == 1) return true;
  const bool spare_zero = content[0] == 0x00 && content[1] < 0x80;
  const bool spare_ones = content[0] == 0xff && content[1] >= 0x80;
  return !spare_zero && !spare_ones;
}

// X.690 section 8.19: each subidentifier in base 128, no leading 0x80, the last byte closes it.
bool is_object_id(ByteView content) {
  if (content.empty() || content.back() >= 0x80) return false;
  bool at_start = true;
  for (const uint8_t byte : content) {
    if (at_start && byte == 0x80) return false;
    at_start = byte < 0x80;
  }
  return true;
}

// X.690 sections 8.6.2 and 11.2: a count of unused bits, and these are zero.
bool is_bit_string(ByteView content) {
  if (content.empty() || content[0] > 7) return false;
  if (content.size() == 1) return content[0] == 0;
  const unsigned unused_mask = (1U << content[0]) - 1U;
  return (content.back() & unused_mask) == 0;
}

// What DER says about a universal type besides its length. Null: nothing is wrong.
const char* find_content_problem(uint8_t tag, ByteView content) {
  switch (tag) {
    case der::kBoolean:
      return content.size() == 1 && (content[0] == 0 || content[0] == 0xff) ? nullptr
                                                                            : "not a BOOLEAN";
    case der::kInteger:
      return is_minimal_integer(content) ? nullptr : "the INTEGER is not in its shortest form";
    case der::kBitString:
      return is_bit_string(content) ? nullptr : "not a BIT STRING";
    case der::kNull:
      return content.empty() ? nullptr : "NULL has a content";
    case der::kObjectId:
      return is_object_id(content) ? nullptr : "not an OBJECT IDENTIFIER";
    default:
      return nullptr;
  }
}

// In DER a universal type is constructed if it is a SEQUENCE or SET and at no other time. (EXTERNAL
// and its like are constructed too; none of them has a place in a CSR.)
bool has_right_form(uint8_t tag) {
  if ((tag & kClassMask) != 0) return true;
  const bool is_collection = (tag & kTagNumberMask) == (der::kSequence & kTagNumberMask) ||
                             (tag & kTagNumberMask) == (der::kSet & kTagNumberMask);
  return ((tag & kConstructed) != 0) == is_collection;
}

tl::unexpected<Error> fail_at(size_t offset, std::string_view what) {
  return fail(ErrorCode::CsrMalformed, fmt::format("byte {}: {}", offset, what));
}

// What is wrong with an element by itself. Null: nothing.
const char* find_problem(const Header& header, ByteView content) {
  if (!has_right_form(header.tag)) {
    return "the element is constructed where DER wants it primitive, or the other way round";
  }
  return find_content_problem(header.tag, content);
}

// The constructed elements around the current position, innermost last.
class OpenElements final {
 public:
  OpenElements(size_t end, size_t max_depth)
      : whole_end_(end), max_depth_(std::min(max_depth, kMaxReaderDepth)) {}

  // Leaves all those that end here; returns where the innermost of the others ends.
  size_t leave(size_t position) {
    while (depth_ > 0 && position == ends_[depth_ - 1]) --depth_;
    return depth_ > 0 ? ends_[depth_ - 1] : whole_end_;
  }
  bool enter(size_t end) {
    if (depth_ == max_depth_) return false;
    ends_[depth_++] = end;
    return true;
  }

 private:
  std::array<size_t, kMaxReaderDepth> ends_{};
  size_t depth_ = 0;
  size_t whole_end_;
  size_t max_depth_;
};

// `find_element_problem` says what is wrong with an element by itself. Null: nothing.
template <typename FindProblem>
Result<void> walk(ByteView der,
                  size_t max_depth,
                  size_t offset,
                  const FindProblem& find_element_problem) {
  OpenElements open(der.size(), max_depth);
  size_t position = 0;
  while (position < der.size()) {
    const ByteView rest = der.subspan(position, open.leave(position) - position);
    const char* problem = nullptr;
    const Header header = read_header(rest, &problem);
    if (problem != nullptr) return fail_at(offset + position, problem);
    const ByteView content = rest.subspan(header.header_bytes, header.content_bytes);
    problem = find_element_problem(header, content);
    if (problem != nullptr) return fail_at(offset + position, problem);
    const bool constructed = (header.tag & kConstructed) != 0;
    const size_t content_at = position + header.header_bytes;
    if (constructed && !open.enter(content_at + header.content_bytes)) {
      return fail(ErrorCode::CsrTooDeep, fmt::format("byte {}", offset + position));
    }
    position = constructed ? content_at : content_at + header.content_bytes;
  }
  return {};
}

}  // namespace

Error DerReader::malformed(std::string_view what) const {
  return Error(ErrorCode::CsrMalformed, fmt::format("byte {}: {}", offset_, what));
}

Result<DerElement> DerReader::any() {
  const char* problem = nullptr;
  const Header header = read_header(rest_, &problem);
  if (problem != nullptr) return fail(malformed(problem));
  DerElement element;
  element.tag = header.tag;
  element.whole = rest_.first(header.header_bytes + header.content_bytes);
  element.content = element.whole.subspan(header.header_bytes);
  element.content_offset = offset_ + header.header_bytes;
  rest_ = rest_.subspan(element.whole.size());
  offset_ += element.whole.size();
  return element;
}

Result<DerElement> DerReader::read(uint8_t tag, std::string_view what) {
  if (!next_is(tag)) return fail(malformed(fmt::format("expected {}", what)));
  return any();
}

Result<DerReader> DerReader::enter(uint8_t tag, std::string_view what) {
  LS_TRY(const DerElement element, read(tag, what));
  return DerReader(element);
}

Result<ByteView> DerReader::bit_string(std::string_view what) {
  LS_TRY(const DerElement element, read(der::kBitString, what));
  if (element.content.empty() || element.content[0] != 0) {
    return fail_at(element.content_offset, "the BIT STRING is not made of whole bytes");
  }
  return element.content.subspan(1);
}

Result<ByteView> DerReader::positive_integer(std::string_view what) {
  LS_TRY(const DerElement element, read(der::kInteger, what));
  const ByteView content = element.content;
  if (!is_minimal_integer(content) || content[0] >= 0x80 ||
      (content.size() == 1 && content[0] == 0)) {
    return fail_at(element.content_offset, fmt::format("{} is not a positive INTEGER", what));
  }
  return content[0] == 0 ? content.subspan(1) : content;
}

Result<void> DerReader::finish(std::string_view what) const {
  if (!rest_.empty()) return fail(malformed(fmt::format("bytes after the end of {}", what)));
  return {};
}

Result<void> check_der_structure(ByteView der, size_t max_depth) {
  return walk(der, max_depth, 0, [](const Header&, ByteView) { return nullptr; });
}

Result<void> check_der(ByteView der, size_t max_depth, size_t offset) {
  return walk(der, max_depth, offset, find_problem);
}

}  // namespace linesign
