// Error: what went wrong, as a value: a stable code, a text for a person, and where it was made.
//
// Threads  no shared state, safe anywhere
// Source   the codes are in error_list.h
#ifndef LINESIGN_PROTOCOL_BASE_ERROR_H_
#define LINESIGN_PROTOCOL_BASE_ERROR_H_

#include <cstdint>
#include <optional>
#include <source_location>
#include <span>
#include <string>
#include <string_view>

#include "protocol/base/error_list.h"

namespace linesign {

// What the receiver of an error should do; see error_list.h.
enum class ErrorKind : uint8_t { Retry, Refuse, Operator, Bug };

enum class ErrorCode : uint16_t {
#define LS_ERROR(name, number, kind, exit_code, sentence) name = (number),
  LINESIGN_ERROR_LIST(LS_ERROR)
#undef LS_ERROR
};

// One row of the list.
struct ErrorInfo {
  ErrorCode code;
  ErrorKind kind;
  int exit_code;  // sysexits.h
  std::string_view name;
  std::string_view sentence;
};

// The whole list, in ascending order of number.
std::span<const ErrorInfo> error_list();

// The row of a code. Never fails for a value of the enum.
const ErrorInfo& error_info(ErrorCode code);

// The code with this number, if the list has it: for numbers that come from a wire.
std::optional<ErrorCode> find_error_code(uint32_t number);

std::string_view to_string(ErrorKind kind);

class Error {
 public:
  // `detail` says what is known beyond the list's sentence; it may be empty and never holds
  // secrets.
  explicit Error(ErrorCode code,
                 std::string detail = {},
                 std::source_location where = std::source_location::current())
      : code_(code), detail_(std::move(detail)), where_(where) {}

  ErrorCode code() const { return code_; }
  ErrorKind kind() const { return error_info(code_).kind; }
  int exit_code() const { return error_info(code_).exit_code; }
  const std::string& detail() const { return detail_; }
  const std::source_location& where() const { return where_; }

  // "CsrProofWrong: The CSR is not signed by the key that it carries. (detail)"
  std::string to_string() const;

  // The same error with more context in front of its detail: "unit 42: detail".
  Error with_context(std::string_view context) const;

 private:
  ErrorCode code_;
  std::string detail_;
  std::source_location where_;
};

// What a program says before it ends: "who: sentence [number name] (detail)".
std::string error_line(std::string_view who, const Error& error);

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_BASE_ERROR_H_
