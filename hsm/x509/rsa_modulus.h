// RSA moduli that are none: products with a small factor, and keys of the ROCA fault.
//
// Errors   CsrKeyInvalid; CsrKeyWeak for the ROCA fault
// Threads  no state, safe anywhere
// Source   NIST SP 800-56B rev. 2 section 6.4.2.2 (no factor below 752); CVE-2017-15361: Infineon's
//          library made primes whose residues are powers of 65537 modulo each small prime
#ifndef LINESIGN_HSM_X509_RSA_MODULUS_H_
#define LINESIGN_HSM_X509_RSA_MODULUS_H_

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

namespace linesign {

// `modulus` is big-endian.
Result<void> check_rsa_modulus(ByteView modulus);

}  // namespace linesign

#endif  // LINESIGN_HSM_X509_RSA_MODULUS_H_
