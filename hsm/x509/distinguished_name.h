// Distinguished names: the common name in a CSR's subject, and the checks that a subject must pass
// that is to stand in a certificate.
//
// Shape    Name ::= SEQUENCE OF SET OF SEQUENCE { type OBJECT IDENTIFIER, value ANY }
// Limits   at most one common name, of at most 64 characters (ub-common-name)
// Errors   CsrMalformed; CsrSubjectInvalid; both name the attribute and its offset in the CSR
// Threads  no state, safe anywhere
// Source   RFC 5280 section 4.1.2.4 and appendix A.1
#ifndef LINESIGN_HSM_X509_DISTINGUISHED_NAME_H_
#define LINESIGN_HSM_X509_DISTINGUISHED_NAME_H_

#include <optional>
#include <string>

#include "hsm/x509/der_reader.h"

namespace linesign {

constexpr size_t kMaxCommonNameCharacters = 64;

// `name` reads the content of the Name. Its common name as UTF-8, if it has one that is not empty;
// no control characters. What else stands in the name is passed over, whatever it is, and so are
// the characters that the common name's string type allows: devices write '_' into a
// PrintableString.
Result<std::optional<std::string>> read_common_name(DerReader name);

// The same, where all of the name must be as DER and RFC 5280 want it. An empty Name is legal.
Result<std::optional<std::string>> check_name(DerReader name);

}  // namespace linesign

#endif  // LINESIGN_HSM_X509_DISTINGUISHED_NAME_H_
