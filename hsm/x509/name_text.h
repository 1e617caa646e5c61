// A distinguished name for people.
//
// Shape    RFC 2253, UTF-8 stays readable, control characters are escaped; empty when out of memory
#ifndef LINESIGN_HSM_X509_NAME_TEXT_H_
#define LINESIGN_HSM_X509_NAME_TEXT_H_

#include <string>

#include <openssl/types.h>

namespace linesign {

std::string name_text(const X509_NAME* name);

}  // namespace linesign

#endif  // LINESIGN_HSM_X509_NAME_TEXT_H_
