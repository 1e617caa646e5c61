// DER writing: appends elements to a byte string, lengths in their shortest form.
//
// Threads  no state, safe anywhere
// Source   X.690 sections 8.1.3 and 8.19
#ifndef LINESIGN_HSM_X509_DER_WRITER_H_
#define LINESIGN_HSM_X509_DER_WRITER_H_

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "protocol/base/bytes.h"

namespace linesign {

// Bytes of an element, header included.
size_t der_size(size_t content_bytes);

void append(Bytes& out, ByteView bytes);

// Tag and length; the caller appends exactly `content_bytes` afterwards.
void append_header(Bytes& out, uint8_t tag, size_t content_bytes);

void append_element(Bytes& out, uint8_t tag, ByteView content);

// One element around the parts, in their order.
Bytes make_element(uint8_t tag, std::initializer_list<ByteView> parts);
inline Bytes make_element(uint8_t tag, ByteView content) { return make_element(tag, {content}); }

// "1.3.6.1.5.5.7.3.2" as an OBJECT IDENTIFIER, header included. Absent unless it is a legal OID of
// at most 32 numbers below 2^32.
std::optional<Bytes> encode_object_id(std::string_view dotted);

}  // namespace linesign

#endif  // LINESIGN_HSM_X509_DER_WRITER_H_
