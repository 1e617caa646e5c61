#include "hsm/x509/openssl_error.h"

#include <fmt/format.h>
#include <openssl/err.h>

namespace linesign {

Error openssl_error(std::string_view what, std::source_location where) {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  Error error(ErrorCode::CryptoFailed,
              fmt::format("{}: {}", what, reason != nullptr ? reason : "no reason given"),
              where);
  ERR_clear_error();
  return error;
}

void clear_openssl_errors() { ERR_clear_error(); }

}  // namespace linesign
