// Plain text: what editors and shells on other systems make of a small ASCII file, made ASCII
// again.
//
// Threads  no state, safe anywhere
#ifndef LINESIGN_PROTOCOL_BASE_PLAIN_TEXT_H_
#define LINESIGN_PROTOCOL_BASE_PLAIN_TEXT_H_

#include <string>
#include <string_view>

#include "protocol/base/bytes.h"

namespace linesign {

// Without a byte order mark, and decoded if it is UTF-16 (Notepad, `>` of PowerShell); characters
// beyond ASCII are '?' then.
std::string plain_text(ByteView content);

// For a message: at most 64 characters, and '?' for what is not visible ASCII.
std::string printable(std::string_view text);

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_BASE_PLAIN_TEXT_H_
