// Bytes: owned and borrowed byte strings, and their text forms.
//
// Threads  no state, safe anywhere
// Source   base64url without padding: RFC 4648 section 5
#ifndef LINESIGN_PROTOCOL_BASE_BYTES_H_
#define LINESIGN_PROTOCOL_BASE_BYTES_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace linesign {

using Bytes = std::vector<uint8_t>;
using ByteView = std::span<const uint8_t>;  // borrowed: valid as long as what it was made from

// The same bytes seen as the other type; nothing is copied.
ByteView as_bytes(std::string_view text);
std::string_view as_text(ByteView bytes);

Bytes to_bytes(ByteView view);
Bytes to_bytes(std::string_view text);

bool equal(ByteView a, ByteView b);

// Lower-case, two digits a byte.
std::string to_hex(ByteView bytes);

// Absent unless `text` is an even number of hex digits of either case.
std::optional<Bytes> from_hex(std::string_view text);

std::string to_base64url(ByteView bytes);

// Absent for padding, foreign characters, impossible lengths, and set bits that nothing encodes.
std::optional<Bytes> from_base64url(std::string_view text);

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_BASE_BYTES_H_
