#include "appliance/cloud/aws/xml.h"

#include <array>
#include <charconv>
#include <utility>

namespace linesign::aws {
namespace {

// What stands between <name …> and </name>.
std::optional<std::string_view> find_element(std::string_view document, std::string_view name) {
  const std::string opening = "<" + std::string(name);
  const std::string closing = "</" + std::string(name) + ">";
  for (size_t at = document.find(opening); at != std::string_view::npos;
       at = document.find(opening, at + 1)) {
    const size_t after = at + opening.size();
    if (after >= document.size()) return std::nullopt;
    const bool is_whole_name =
        std::string_view(" \t\r\n/>").find(document[after]) != std::string_view::npos;
    if (!is_whole_name) continue;
    const size_t end = document.find('>', after);
    if (end == std::string_view::npos) return std::nullopt;
    if (document[end - 1] == '/') return std::string_view();
    const size_t close = document.find(closing, end);
    if (close == std::string_view::npos) return std::nullopt;
    return document.substr(end + 1, close - end - 1);
  }
  return std::nullopt;
}

// "#10" or "#xA"; only what is ASCII, as AWS writes line ends in messages.
std::optional<char> numbered(std::string_view entity) {
  if (!entity.starts_with('#')) return std::nullopt;
  const bool is_hex = entity.starts_with("#x");
  const std::string_view digits = entity.substr(is_hex ? 2 : 1);
  unsigned char value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, is_hex ? 16 : 10);
  if (error != std::errc{} || end != digits.data() + digits.size() || value > 0x7f)
    return std::nullopt;
  return static_cast<char>(value);
}

std::optional<char> entity_value(std::string_view entity) {
  constexpr std::array<std::pair<std::string_view, char>, 5> kEntities = {
      {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}}};
  for (const auto& [name, value] : kEntities) {
    if (name == entity) return value;
  }
  return numbered(entity);
}

std::string decode(std::string_view text) {
  constexpr size_t kMaxEntityBytes = 8;
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    const size_t end =
        text[i] == '&' ? text.substr(i, kMaxEntityBytes).find(';') : std::string_view::npos;
    const auto value =
        end != std::string_view::npos ? entity_value(text.substr(i + 1, end - 1)) : std::nullopt;
    decoded += value.value_or(text[i]);
    if (value) i += end;
  }
  return decoded;
}

}  // namespace

std::optional<std::string> xml_text(std::string_view document,
                                    std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    const auto element = find_element(document, name);
    if (!element) return std::nullopt;
    document = *element;
  }
  return decode(document);
}

}  // namespace linesign::aws
