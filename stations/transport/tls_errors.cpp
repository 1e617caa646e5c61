#include "stations/transport/tls_errors.h"

#include <openssl/err.h>

namespace linesign {

Error take_openssl_error(ErrorCode code, std::string_view doing, std::source_location where) {
  std::string detail(doing);
  std::string_view separator = ": ";
  while (const unsigned long error = ERR_get_error()) {
    const char* reason = ERR_reason_error_string(error);
    detail += separator;
    detail += reason != nullptr ? reason : "unnamed reason";
    separator = "; ";
  }
  return Error(code, std::move(detail), where);
}

}  // namespace linesign
