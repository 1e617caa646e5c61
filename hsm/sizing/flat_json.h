// FlatJson: one JSON object on one line, with texts and whole numbers in it and nothing nested.
//
// Shape    {"name":"text","count":12}; names and texts are UTF-8
// Limits   kMaxFlatJsonBytes
// Errors   InputInvalid with the position
// Threads  a plain value
// Source   RFC 8259; of its escapes those of section 7 that ASCII needs
#ifndef LINESIGN_HSM_SIZING_FLAT_JSON_H_
#define LINESIGN_HSM_SIZING_FLAT_JSON_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/base/result.h"

namespace linesign {

constexpr size_t kMaxFlatJsonBytes = 64 * 1024;

class FlatJson final {
 public:
  static Result<FlatJson> parse(std::string_view line);

  FlatJson& text(std::string_view name, std::string_view value);
  FlatJson& number(std::string_view name, uint64_t value);

  bool has(std::string_view name) const;
  // InputInvalid when it is absent or of the other kind.
  Result<std::string> get_text(std::string_view name) const;
  Result<uint64_t> get_number(std::string_view name) const;

  std::string line() const;  // without a newline

 private:
  using Value = std::variant<std::string, uint64_t>;
  const Value* find(std::string_view name) const;
  std::vector<std::pair<std::string, Value>> members_;
};

// In quotes, with escapes.
std::string flat_json_text(std::string_view text);

}  // namespace linesign

#endif  // LINESIGN_HSM_SIZING_FLAT_JSON_H_
