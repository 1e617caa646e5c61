#include "protocol/settings/settings_file.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "protocol/base/file.h"
#include "protocol/settings/settings_state.h"

namespace linesign {
namespace {

constexpr size_t kMaxFileBytes = 1024 * 1024;

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

// The known key that a person most likely meant.
std::optional<std::string> closest(std::string_view wrong, const std::vector<std::string>& known) {
  std::optional<std::string> best;
  size_t best_distance = std::min<size_t>(3, wrong.size() / 2 + 1);
  for (const std::string& key : known) {
    const size_t distance = edit_distance(wrong, key);
    if (distance >= best_distance) continue;
    best_distance = distance;
    best = key;
  }
  return best;
}

struct UnknownKey {
  std::string table_prefix;
  std::string key;
  uint32_t line = 0;
};

using Names = std::span<const std::string_view>;

bool contains(Names names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void keep_first(std::optional<UnknownKey>& first, std::optional<UnknownKey> found) {
  if (found.has_value() && (!first.has_value() || found->line < first->line))
    first = std::move(found);
}

std::optional<UnknownKey> find_unknown(const toml::table& table,
                                       const std::string& prefix,
                                       const KnownKeys& keys,
                                       Names ignored);

// In a table, or in each table of a list.
std::optional<UnknownKey> find_unknown_below(const toml::node& node,
                                             const std::string& prefix,
                                             const KnownKeys& keys,
                                             Names ignored) {
  if (const toml::table* table = node.as_table())
    return find_unknown(*table, prefix, keys, ignored);
  std::optional<UnknownKey> first;
  const toml::array* list = node.as_array();
  if (list == nullptr) return first;
  for (const toml::node& element : *list)
    if (const toml::table* table = element.as_table())
      keep_first(first, find_unknown(*table, prefix, keys, ignored));
  return first;
}

// In file order the first key that nobody asked for.
std::optional<UnknownKey> find_unknown(const toml::table& table,
                                       const std::string& prefix,
                                       const KnownKeys& keys,
                                       Names ignored) {
  std::optional<UnknownKey> first;
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    if (contains(ignored, name) || keys.opaque.contains(name)) continue;
    if (keys.known.contains(name)) {
      keep_first(first, find_unknown_below(node, name + ".", keys, ignored));
    } else {
      keep_first(first, UnknownKey{prefix, std::string(key.str()), key.source().begin.line});
    }
  }
  return first;
}

std::vector<std::string> known_in(std::string_view prefix, const KnownKeys& keys, Names ignored) {
  std::vector<std::string> names;
  const auto add = [&](std::string_view name) {
    if (!name.starts_with(prefix)) return;
    name.remove_prefix(prefix.size());
    if (name.find('.') == std::string_view::npos) names.emplace_back(name);
  };
  for (const std::string& name : keys.known) add(name);
  for (const std::string_view name : ignored) add(name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

SettingsFile::SettingsFile(std::shared_ptr<SettingsTable::State> state)
    : state_(std::move(state)) {}

Result<SettingsFile> SettingsFile::load(const std::filesystem::path& path) {
  const auto content = read_file(path, kMaxFileBytes);
  if (!content.has_value()) return fail(ErrorCode::ConfigUnreadable, content.error().detail());
  return parse(as_text(*content), path);
}

Result<SettingsFile> SettingsFile::parse(std::string_view text, const std::filesystem::path& path) {
  auto state = std::make_shared<SettingsTable::State>();
  state->path = path;
  toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return fail(
        ErrorCode::ConfigSyntax,
        fmt::format("{}: {}", state->place(error.source().begin.line), error.description()));
  }
  state->root = std::move(parsed).table();
  return SettingsFile(std::move(state));
}

SettingsTable SettingsFile::root() const { return SettingsTable(state_, "", &state_->root); }

Result<void> SettingsFile::check_all_known(std::span<const std::string_view> ignored_tables) const {
  const auto unknown = find_unknown(state_->root, "", state_->keys, ignored_tables);
  if (!unknown.has_value()) return {};
  const auto known = known_in(unknown->table_prefix, state_->keys, ignored_tables);
  const auto meant = closest(unknown->key, known);
  std::string detail =
      fmt::format("{}: {}{}: unknown key{}",
                  state_->place(unknown->line),
                  unknown->table_prefix,
                  unknown->key,
                  meant.has_value() ? fmt::format("; did you mean \"{}\"?", *meant) : ".");
  if (!known.empty()) detail += fmt::format(" Known here: {}", fmt::join(known, ", "));
  return fail(ErrorCode::ConfigUnknownKey, std::move(detail));
}

std::vector<std::string> SettingsFile::known_keys() const {
  return {state_->keys.known.begin(), state_->keys.known.end()};
}

}  // namespace linesign
