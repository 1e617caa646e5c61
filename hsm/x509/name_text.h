// Distinguished names and object identifiers for people.
//
// Shape    RFC 2253, UTF-8 stays readable, control characters are escaped; empty when out of memory
// Threads  no state, safe anywhere
#ifndef LINESIGN_HSM_X509_NAME_TEXT_H_
#define LINESIGN_HSM_X509_NAME_TEXT_H_

#include <string>

#include <openssl/types.h>

#include "protocol/base/bytes.h"

namespace linesign {

std::string name_text(const X509_NAME* name);

// "OU", or "1.3.6.1.4.1.55555.1" for one that has no short name. `der` is the whole element.
std::string object_id_text(ByteView der);

}  // namespace linesign

#endif  // LINESIGN_HSM_X509_NAME_TEXT_H_
