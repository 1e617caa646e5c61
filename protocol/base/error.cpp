#include "protocol/base/error.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace linesign {
namespace {

constexpr std::array kErrors = {
#define LS_ERROR(name, number, kind, exit_code, sentence) \
  ErrorInfo{ErrorCode::name, ErrorKind::kind, exit_code, #name, sentence},
    LINESIGN_ERROR_LIST(LS_ERROR)
#undef LS_ERROR
};

constexpr bool numbers_ascend() {
  return std::is_sorted(kErrors.begin(), kErrors.end(), [](const auto& a, const auto& b) {
    return a.code <= b.code;
  });
}
static_assert(numbers_ascend(), "error_list.h: numbers must be unique and ascending");

constexpr size_t row_of(ErrorCode code) {
  size_t row = 0;
  while (kErrors[row].code != code) ++row;
  return row;
}
constexpr size_t kInternalRow = row_of(ErrorCode::Internal);

const ErrorInfo* find_info(uint32_t number) {
  const auto* const row = std::lower_bound(
      kErrors.begin(), kErrors.end(), number, [](const ErrorInfo& info, uint32_t wanted) {
        return static_cast<uint32_t>(info.code) < wanted;
      });
  const bool found = row != kErrors.end() && static_cast<uint32_t>(row->code) == number;
  return found ? row : nullptr;
}

}  // namespace

std::span<const ErrorInfo> error_list() { return kErrors; }

const ErrorInfo& error_info(ErrorCode code) {
  const ErrorInfo* info = find_info(static_cast<uint32_t>(code));
  return info != nullptr ? *info : kErrors[kInternalRow];
}

std::optional<ErrorCode> find_error_code(uint32_t number) {
  const ErrorInfo* info = find_info(number);
  if (info == nullptr) return std::nullopt;
  return info->code;
}

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::Retry:
      return "Retry";
    case ErrorKind::Refuse:
      return "Refuse";
    case ErrorKind::Operator:
      return "Operator";
    case ErrorKind::Bug:
      return "Bug";
  }
  return "Bug";
}

std::string Error::to_string() const {
  const ErrorInfo& info = error_info(code_);
  std::string text(info.name);
  text += ": ";
  text += info.sentence;
  if (!detail_.empty()) {
    text += " (";
    text += detail_;
    text += ")";
  }
  return text;
}

Error Error::with_context(std::string_view context) const {
  std::string text(context);
  if (!detail_.empty()) {
    text += ": ";
    text += detail_;
  }
  return Error(code_, std::move(text), where_);
}

std::string error_line(std::string_view who, const Error& error) {
  const ErrorInfo& info = error_info(error.code());
  std::string line =
      fmt::format("{}: {} [{} {}]", who, info.sentence, static_cast<int>(error.code()), info.name);
  if (!error.detail().empty()) line += fmt::format(" ({})", error.detail());
  return line;
}

}  // namespace linesign
