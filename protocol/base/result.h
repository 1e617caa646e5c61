// Result<T>: a value or an Error. Ignoring one does not compile.
//
// LS_TRY(const Frame frame, decode(in));   the value, or return its error
// LS_CHECK(check_quota(order));            Result<void>, or return its error
#ifndef LINESIGN_PROTOCOL_BASE_RESULT_H_
#define LINESIGN_PROTOCOL_BASE_RESULT_H_

#include <source_location>
#include <string>
#include <utility>

#include <tl/expected.hpp>

#include "protocol/base/error.h"

namespace linesign {

// Debian's tl::expected is not [[nodiscard]]; deriving adds that and nothing else. Becomes
// std::expected<T, Error> with C++23.
template <typename T>
class [[nodiscard]] Result final : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

// `return fail(ErrorCode::CsrEmpty);`
inline tl::unexpected<Error> fail(ErrorCode code,
                                  std::string detail = {},
                                  std::source_location where = std::source_location::current()) {
  return tl::unexpected<Error>(Error(code, std::move(detail), where));
}

// Passes an error on, unchanged.
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace linesign

#define LS_CONCAT_INNER(a, b) a##b
#define LS_CONCAT(a, b) LS_CONCAT_INNER(a, b)

#define LS_TRY_INNER(temporary, declaration, expression)                             \
  auto temporary = (expression);                                                     \
  if (!temporary.has_value()) return ::linesign::fail(std::move(temporary).error()); \
  declaration = std::move(temporary).value()

#define LS_TRY(declaration, expression) \
  LS_TRY_INNER(LS_CONCAT(ls_result_, __LINE__), declaration, expression)

#define LS_CHECK(expression)                                                                       \
  do {                                                                                             \
    auto ls_check_result = (expression);                                                           \
    if (!ls_check_result.has_value()) return ::linesign::fail(std::move(ls_check_result).error()); \
  } while (false)

#endif  // LINESIGN_PROTOCOL_BASE_RESULT_H_
