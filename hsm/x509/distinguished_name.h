// Distinguished names: the checks that a CSR's subject must pass, and the common name in it.
//
// Shape    Name ::= SEQUENCE OF SET OF SEQUENCE { type OBJECT IDENTIFIER, value ANY }
// Limits   at most one common name, of at most 64 characters (ub-common-name)
// Errors   CsrMalformed; CsrSubjectInvalid
// Threads  no state, safe anywhere
// Source   RFC 5280 section 4.1.2.4 and appendix A.1
#ifndef LINESIGN_HSM_X509_DISTINGUISHED_NAME_H_
#define LINESIGN_HSM_X509_DISTINGUISHED_NAME_H_

#include <optional>
#include <string>

#include "hsm/x509/der_reader.h"

namespace linesign {

constexpr size_t kMaxCommonNameCharacters = 64;

// `name` reads the content of the Name. Returns its common name, if it has one. An empty Name is
// legal.
Result<std::optional<std::string>> check_name(DerReader name);

}  // namespace linesign

#endif  // LINESIGN_HSM_X509_DISTINGUISHED_NAME_H_
