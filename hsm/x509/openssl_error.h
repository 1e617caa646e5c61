// OpenSSL's error queue as an Error. The queue is empty afterwards, because TLS code in the same
// thread takes what it finds there for its own.
#ifndef LINESIGN_HSM_X509_OPENSSL_ERROR_H_
#define LINESIGN_HSM_X509_OPENSSL_ERROR_H_

#include <source_location>
#include <string_view>

#include "protocol/base/error.h"

namespace linesign {

// CryptoFailed: "what: OpenSSL's reason".
Error openssl_error(std::string_view what,
                    std::source_location where = std::source_location::current());

void clear_openssl_errors();

}  // namespace linesign

#endif  // LINESIGN_HSM_X509_OPENSSL_ERROR_H_
