// One value of the file at a time.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "protocol/settings/settings_state.h"
#include "protocol/settings/units.h"

namespace linesign {
namespace {

constexpr size_t kMaxShownBytes = 64;

}  // namespace

std::string in_quotes(std::string_view text) {
  std::string shown = "\"";
  for (const char c : text.substr(0, kMaxShownBytes)) {
    const bool is_control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    if (is_control) {
      shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      shown += c;
    }
  }
  if (text.size() > kMaxShownBytes) shown += "...";
  return shown + "\"";
}

std::string_view kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a decimal number";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

std::string shown(const toml::node& node) {
  if (const auto* text = node.as_string()) return in_quotes(text->get());
  if (const auto* number = node.as_integer()) return fmt::format("{}", number->get());
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  return std::string(kind_of(node));
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

std::string SettingsTable::State::place(uint32_t line) const {
  return line == 0 ? path.string() : fmt::format("{}:{}", path.string(), line);
}

SettingsTable::SettingsTable(std::shared_ptr<State> state, std::string prefix, const void* node)
    : state_(std::move(state)), prefix_(std::move(prefix)), node_(node) {}

const void* SettingsTable::find(std::string_view key) const {
  state_->keys.known.insert(prefix_ + std::string(key));
  if (node_ == nullptr) return nullptr;
  return static_cast<const toml::table*>(node_)->get(key);
}

bool SettingsTable::has(std::string_view key) const { return find(key) != nullptr; }

Error SettingsTable::error_at(std::string_view key, ErrorCode code, std::string_view what) const {
  uint32_t line = 0;
  if (const auto* table = static_cast<const toml::table*>(node_)) {
    const toml::node* node = table->get(key);
    line = (node != nullptr ? node->source() : table->source()).begin.line;
  }
  return Error(code, fmt::format("{}: {}{}: {}", state_->place(line), prefix_, key, what));
}

Result<std::string> SettingsTable::text(std::string_view key, std::string_view fallback) const {
  const auto* node = static_cast<const toml::node*>(find(key));
  if (node == nullptr) return std::string(fallback);
  const auto* value = node->as_string();
  if (value == nullptr) {
    const std::string what = fmt::format("expected a text in quotes, found {}", kind_of(*node));
    return fail(error_at(key, ErrorCode::ConfigType, what));
  }
  if (has_control_character(value->get()))
    return fail(error_at(key, ErrorCode::ConfigRange, "control characters are not allowed"));
  return value->get();
}

Result<std::string> SettingsTable::required_text(std::string_view key) const {
  if (!has(key)) return fail(error_at(key, ErrorCode::ConfigMissing, "this key is required"));
  LS_TRY(std::string value, text(key, ""));
  if (value.empty())
    return fail(error_at(key, ErrorCode::ConfigRange, "expected a text that is not empty"));
  return value;
}

Result<bool> SettingsTable::boolean(std::string_view key, bool fallback) const {
  const auto* node = static_cast<const toml::node*>(find(key));
  if (node == nullptr) return fallback;
  const auto* value = node->as_boolean();
  if (value == nullptr) {
    const std::string what = fmt::format("expected true or false, found {}", shown(*node));
    return fail(error_at(key, ErrorCode::ConfigType, what));
  }
  return value->get();
}

Result<int64_t> SettingsTable::integer(std::string_view key,
                                       Range<int64_t> range,
                                       int64_t fallback) const {
  const auto* node = static_cast<const toml::node*>(find(key));
  if (node == nullptr) return fallback;
  const auto* value = node->as_integer();
  const bool is_allowed =
      value != nullptr && value->get() >= range.min && value->get() <= range.max;
  if (is_allowed) return value->get();
  const ErrorCode code = value == nullptr ? ErrorCode::ConfigType : ErrorCode::ConfigRange;
  const std::string what = fmt::format(
      "expected an integer from {} to {}, found {}", range.min, range.max, shown(*node));
  return fail(error_at(key, code, what));
}

Result<double> SettingsTable::decimal(std::string_view key,
                                      Range<double> range,
                                      double fallback) const {
  const auto* node = static_cast<const toml::node*>(find(key));
  if (node == nullptr) return fallback;
  const std::optional<double> value = node->value<double>();
  const bool is_number = value.has_value() && node->is_number();
  if (is_number && *value >= range.min && *value <= range.max) return *value;
  const std::string what =
      fmt::format("expected a number from {} to {}, found {}", range.min, range.max, shown(*node));
  return fail(error_at(key, is_number ? ErrorCode::ConfigRange : ErrorCode::ConfigType, what));
}

Result<std::chrono::milliseconds> SettingsTable::duration(
    std::string_view key,
    Range<std::chrono::milliseconds> range,
    std::chrono::milliseconds fallback) const {
  const auto* node = static_cast<const toml::node*>(find(key));
  if (node == nullptr) return fallback;
  const auto* text = node->as_string();
  const auto value = text != nullptr ? parse_duration(text->get()) : std::nullopt;
  if (value.has_value() && *value >= range.min && *value <= range.max) return *value;
  std::string what = fmt::format(
      "expected a duration from {} to {}", format_duration(range.min), format_duration(range.max));
  if (!value.has_value())
    what += fmt::format(", a whole number with its unit ({}) in quotes", kDurationUnits);
  const ErrorCode code = value.has_value() ? ErrorCode::ConfigRange : ErrorCode::ConfigType;
  return fail(error_at(key, code, fmt::format("{}, found {}", what, shown(*node))));
}

Result<uint64_t> SettingsTable::size_bytes(std::string_view key,
                                           Range<uint64_t> range,
                                           uint64_t fallback) const {
  const auto* node = static_cast<const toml::node*>(find(key));
  if (node == nullptr) return fallback;
  const auto* text = node->as_string();
  const auto value = text != nullptr ? parse_size(text->get()) : std::nullopt;
  if (value.has_value() && *value >= range.min && *value <= range.max) return *value;
  std::string what =
      fmt::format("expected a size from {} to {}", format_size(range.min), format_size(range.max));
  if (!value.has_value())
    what += fmt::format(", a whole number with its unit ({}) in quotes", kSizeUnits);
  const ErrorCode code = value.has_value() ? ErrorCode::ConfigRange : ErrorCode::ConfigType;
  return fail(error_at(key, code, fmt::format("{}, found {}", what, shown(*node))));
}

Result<size_t> SettingsTable::choice(std::string_view key,
                                     std::span<const std::string_view> allowed,
                                     size_t fallback) const {
  const auto* node = static_cast<const toml::node*>(find(key));
  if (node == nullptr) return fallback;
  const auto* text = node->as_string();
  if (text != nullptr) {
    const auto match = std::find(allowed.begin(), allowed.end(), text->get());
    if (match != allowed.end()) return static_cast<size_t>(match - allowed.begin());
  }
  const ErrorCode code = text == nullptr ? ErrorCode::ConfigType : ErrorCode::ConfigRange;
  const std::string what =
      fmt::format("expected one of \"{}\", found {}", fmt::join(allowed, "\", \""), shown(*node));
  return fail(error_at(key, code, what));
}

Result<std::filesystem::path> SettingsTable::path(std::string_view key,
                                                  std::string_view fallback) const {
  LS_TRY(const std::string value, text(key, fallback));
  if (value.empty() && has(key))
    return fail(error_at(key, ErrorCode::ConfigRange, "expected a path that is not empty"));
  if (value.empty()) return std::filesystem::path();
  return (state_->path.parent_path() / value).lexically_normal();
}

Result<std::filesystem::path> SettingsTable::required_path(std::string_view key) const {
  LS_CHECK(required_text(key));
  return path(key, "");
}

}  // namespace linesign
