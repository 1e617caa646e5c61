// Lists and tables of the file.
#include <fmt/format.h>

#include "protocol/settings/settings_state.h"

namespace linesign {

Result<std::vector<std::string>> SettingsTable::text_list(std::string_view key,
                                                          std::vector<std::string> fallback) const {
  const auto* node = static_cast<const toml::node*>(find(key));
  if (node == nullptr) return fallback;
  const toml::array* list = node->as_array();
  if (list == nullptr) {
    const std::string what =
        fmt::format("expected a list of texts such as [\"...\"], found {}", kind_of(*node));
    return fail(error_at(key, ErrorCode::ConfigType, what));
  }
  std::vector<std::string> texts;
  for (const toml::node& element : *list) {
    const auto* text = element.as_string();
    const bool is_usable =
        text != nullptr && !text->get().empty() && !has_control_character(text->get());
    if (!is_usable) {
      const ErrorCode code = text == nullptr ? ErrorCode::ConfigType : ErrorCode::ConfigRange;
      return fail(code,
                  fmt::format("{}: {}{}[{}]: expected a text in quotes that is not empty and has "
                              "no control characters, found {}",
                              state_->place(element.source().begin.line),
                              prefix_,
                              key,
                              texts.size(),
                              shown(element)));
    }
    texts.push_back(text->get());
  }
  return texts;
}

Result<std::vector<std::filesystem::path>> SettingsTable::path_list(std::string_view key) const {
  LS_TRY(const std::vector<std::string> texts, text_list(key, {}));
  std::vector<std::filesystem::path> paths;
  paths.reserve(texts.size());
  for (const std::string& text : texts)
    paths.push_back((state_->path.parent_path() / text).lexically_normal());
  return paths;
}

Result<const void*> SettingsTable::free_table(std::string_view key) const {
  const auto* node = static_cast<const toml::node*>(find(key));
  state_->keys.opaque.insert(prefix_ + std::string(key));
  if (node == nullptr) return nullptr;
  const toml::table* table = node->as_table();
  if (table != nullptr) return table;
  const std::string what =
      fmt::format("expected names and values such as {{name = ...}}, found {}", kind_of(*node));
  return fail(error_at(key, ErrorCode::ConfigType, what));
}

Result<std::map<std::string, std::string>> SettingsTable::text_map(std::string_view key) const {
  LS_TRY(const void* found, free_table(key));
  std::map<std::string, std::string> texts;
  if (found == nullptr) return texts;
  for (const auto& [name, value] : *static_cast<const toml::table*>(found)) {
    const auto* text = value.as_string();
    if (text == nullptr || has_control_character(text->get()))
      return fail(text == nullptr ? ErrorCode::ConfigType : ErrorCode::ConfigRange,
                  fmt::format("{}: {}{}.{}: expected a text in quotes without control characters, "
                              "found {}",
                              state_->place(value.source().begin.line),
                              prefix_,
                              key,
                              name.str(),
                              kind_of(value)));
    texts.emplace(name.str(), text->get());
  }
  return texts;
}

Result<std::map<std::string, double, std::less<>>> SettingsTable::decimal_map(
    std::string_view key, Range<double> range) const {
  LS_TRY(const void* found, free_table(key));
  std::map<std::string, double, std::less<>> numbers;
  if (found == nullptr) return numbers;
  const SettingsTable members(state_, prefix_ + std::string(key) + ".", found);
  for (const auto& [name, value] : *static_cast<const toml::table*>(found)) {
    LS_TRY(const double number, members.decimal(name.str(), range, 0));
    numbers.emplace(name.str(), number);
  }
  return numbers;
}

Result<std::vector<SettingsTable>> SettingsTable::tables(std::string_view key) const {
  const auto* node = static_cast<const toml::node*>(find(key));
  const std::string prefix = prefix_ + std::string(key) + ".";
  std::vector<SettingsTable> tables;
  if (node == nullptr) return tables;
  const toml::array* list = node->as_array();
  for (size_t i = 0; list != nullptr && i < list->size(); ++i) {
    const toml::table* table = list->get(i)->as_table();
    if (table != nullptr) tables.push_back(SettingsTable(state_, prefix, table));
  }
  if (list != nullptr && tables.size() == list->size()) return tables;
  return fail(error_at(key,
                       ErrorCode::ConfigType,
                       fmt::format("expected tables [[{}{}]], found {}",
                                   prefix_,
                                   key,
                                   list == nullptr ? kind_of(*node) : "a list of something else")));
}

Result<SettingsTable> SettingsTable::table(std::string_view key) const {
  const auto* node = static_cast<const toml::node*>(find(key));
  const std::string prefix = prefix_ + std::string(key) + ".";
  if (node == nullptr) return SettingsTable(state_, prefix, nullptr);
  const toml::table* table = node->as_table();
  if (table == nullptr) {
    const std::string what =
        fmt::format("expected a table [{}{}], found {}", prefix_, key, kind_of(*node));
    return fail(error_at(key, ErrorCode::ConfigType, what));
  }
  return SettingsTable(state_, prefix, table);
}

}  // namespace linesign
