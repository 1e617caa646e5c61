// OpenSSL's error queue, in which libp11 leaves the return values of PKCS#11.
//
// Threads  the queue belongs to the calling thread
// Source   libp11 0.4: ERR_GET_LIB() == ERR_get_CKR_code(), reason = CKR cut to 23 bits
#ifndef LINESIGN_HSM_PKCS11_OPENSSL_ERRORS_H_
#define LINESIGN_HSM_PKCS11_OPENSSL_ERRORS_H_

#include <source_location>
#include <string_view>

#include "protocol/base/error.h"

namespace linesign {

// Empties the queue, which the caller emptied before the call (clear_openssl_errors() of hsm/x509),
// because successful calls leave errors behind too. The first PKCS#11 value in it decides; a queue
// without one is HsmUnavailable with OpenSSL's own words.
Error take_openssl_error(std::string_view call,
                         std::source_location where = std::source_location::current());

}  // namespace linesign

#endif  // LINESIGN_HSM_PKCS11_OPENSSL_ERRORS_H_
