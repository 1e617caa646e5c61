// Directory strings: the text types that stand in names, read into UTF-8 and checked.
//
// Errors   CsrSubjectInvalid, saying which rule is broken but never repeating the text
// Threads  no state, safe anywhere
// Source   X.680 section 41, RFC 5280 section 4.1.2.4; T61String is read as ISO 8859-1, as all the
//          tools that still write it do
#ifndef LINESIGN_HSM_X509_DIRECTORY_STRING_H_
#define LINESIGN_HSM_X509_DIRECTORY_STRING_H_

#include <string>

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

namespace linesign {

struct Text {
  std::string utf8;
  size_t characters = 0;
};

bool is_directory_string(uint8_t tag);

// Decodes the content of a string type. Refuses NUL and all other control characters, bytes that
// the type does not allow, surrogates, overlong UTF-8 and the empty string.
// REQUIRES: is_directory_string(tag)
Result<Text> decode_directory_string(uint8_t tag, ByteView content);

// The same checks without the text.
Result<void> check_directory_string(uint8_t tag, ByteView content);

// A-Z a-z 0-9 blank ' ( ) + , - . / : = ?
bool is_printable_string(std::string_view text);

}  // namespace linesign

#endif  // LINESIGN_HSM_X509_DIRECTORY_STRING_H_
