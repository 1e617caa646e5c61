#include "hsm/pkcs11/openssl_errors.h"

#include <optional>
#include <string>

#include <fmt/format.h>
#include <libp11.h>
#include <openssl/err.h>

#include "hsm/pkcs11/recovery.h"

namespace linesign {

Error take_openssl_error(std::string_view call, std::source_location where) {
  std::optional<unsigned long> ckr;
  std::string words;
  while (const unsigned long error = ERR_get_error()) {
    if (!ckr && ERR_GET_LIB(error) == ERR_get_CKR_code() && ERR_GET_REASON(error) != 0)
      ckr = static_cast<unsigned long>(ERR_GET_REASON(error));
    const char* reason = ERR_reason_error_string(error);
    if (reason != nullptr) words += (words.empty() ? "" : ", ") + std::string(reason);
  }
  if (ckr) return ckr_error(call, *ckr, where);
  return Error(ErrorCode::HsmUnavailable,
               fmt::format("{}: {}", call, words.empty() ? "no reason given" : words),
               where);
}

}  // namespace linesign
