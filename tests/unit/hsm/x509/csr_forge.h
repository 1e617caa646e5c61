// Forged CSRs: any parts, put together and signed, also where no tool would make such a CSR.
#ifndef LINESIGN_TESTS_UNIT_HSM_X509_CSR_FORGE_H_
#define LINESIGN_TESTS_UNIT_HSM_X509_CSR_FORGE_H_

#include <string_view>

#include "hsm/x509/handles.h"
#include "protocol/base/bytes.h"

namespace linesign::test {

// All of them whole elements.
struct CsrParts {
  Bytes version;
  Bytes subject;
  Bytes spki;
  Bytes attributes;
  Bytes algorithm;
};

// Those of a CSR of `key` with the common name dev-1.
CsrParts usual_parts(EVP_PKEY* key);

// Signed by `key` with SHA-256, so that proof of possession holds.
Bytes forge_csr(const CsrParts& parts, EVP_PKEY* key);
// Around a signature that may be anything.
Bytes wrap_csr(const CsrParts& parts, ByteView signature);

// Name with one attribute: 2.5.4.3 and a value of this type.
Bytes common_name_subject(uint8_t tag, std::string_view value);

// SubjectPublicKeyInfo of an RSA key from its numbers, big-endian and as they are.
Bytes rsa_spki(ByteView modulus_integer, ByteView exponent_integer);

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_UNIT_HSM_X509_CSR_FORGE_H_
