// DerReader: walks through DER, strictly and without recursion.
//
// Shape    tag u8 | length | content[length]; low tag numbers only, definite lengths in their
//          shortest form only
// Limits   every length is checked against what is left before it is used
// Errors   CsrMalformed with the position of the element; CsrTooDeep
// Threads  no state beyond the reader itself
// Source   X.690 sections 8 and 10
#ifndef LINESIGN_HSM_X509_DER_READER_H_
#define LINESIGN_HSM_X509_DER_READER_H_

#include <cstdint>
#include <string_view>

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

namespace linesign {

namespace der {
constexpr uint8_t kBoolean = 0x01;
constexpr uint8_t kInteger = 0x02;
constexpr uint8_t kBitString = 0x03;
constexpr uint8_t kOctetString = 0x04;
constexpr uint8_t kNull = 0x05;
constexpr uint8_t kObjectId = 0x06;
constexpr uint8_t kUtf8String = 0x0c;
constexpr uint8_t kNumericString = 0x12;
constexpr uint8_t kPrintableString = 0x13;
constexpr uint8_t kT61String = 0x14;
constexpr uint8_t kIa5String = 0x16;
constexpr uint8_t kUtcTime = 0x17;
constexpr uint8_t kGeneralizedTime = 0x18;
constexpr uint8_t kVisibleString = 0x1a;
constexpr uint8_t kUniversalString = 0x1c;
constexpr uint8_t kBmpString = 0x1e;
constexpr uint8_t kSequence = 0x30;
constexpr uint8_t kSet = 0x31;

constexpr uint8_t context(unsigned number) { return static_cast<uint8_t>(0x80U | number); }
constexpr uint8_t context_constructed(unsigned number) {
  return static_cast<uint8_t>(0xa0U | number);
}
}  // namespace der

struct DerElement {
  uint8_t tag = 0;
  ByteView content;
  ByteView whole;             // header included
  size_t content_offset = 0;  // in what the first reader was made from, for messages

  size_t offset() const { return content_offset - (whole.size() - content.size()); }
};

class DerReader final {
 public:
  explicit DerReader(ByteView der) : rest_(der) {}
  // Reads the content of an element.
  explicit DerReader(const DerElement& element)
      : rest_(element.content), offset_(element.content_offset) {}

  bool empty() const { return rest_.empty(); }
  bool next_is(uint8_t tag) const { return !rest_.empty() && rest_[0] == tag; }

  // The next element, whatever it is.
  Result<DerElement> any();
  // The next element, which must have this tag. `what` names it in the error.
  Result<DerElement> read(uint8_t tag, std::string_view what);
  // A reader of the content of the next element, which must have this tag.
  Result<DerReader> enter(uint8_t tag, std::string_view what);
  // The octets of a BIT STRING without unused bits.
  Result<ByteView> bit_string(std::string_view what);
  // The big-endian octets of a positive INTEGER, without a leading zero.
  Result<ByteView> positive_integer(std::string_view what);
  // Nothing may be left.
  Result<void> finish(std::string_view what) const;

  // An error that points at the next element.
  Error malformed(std::string_view what) const;

 private:
  ByteView rest_;
  size_t offset_ = 0;  // of rest_, for messages
};

// Is `der` a series of elements down to `max_depth` levels? Checks all lengths and tags: what
// nobody reads further, or who reads it checks himself.
Result<void> check_der_structure(ByteView der, size_t max_depth);

// The same, and the content of the primitive universal types whose encoding DER restricts. `offset`
// is where `der` begins, for messages.
Result<void> check_der(ByteView der, size_t max_depth, size_t offset = 0);

}  // namespace linesign

#endif  // LINESIGN_HSM_X509_DER_READER_H_
