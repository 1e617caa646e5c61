// SettingsFile: reads one TOML file strictly: every key is known, typed, in range and has its unit.
//
// Shape    durations "500ms" "10s" "5m" "2h" "30d" "20y" (365 days); sizes "64KiB" "256MiB" "2GiB"
// Errors   Config*, each naming file:line, the key, and what is allowed
// Threads  one reader at a time
// Source   TOML 1.0, toml++
#ifndef LINESIGN_PROTOCOL_SETTINGS_SETTINGS_FILE_H_
#define LINESIGN_PROTOCOL_SETTINGS_SETTINGS_FILE_H_

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace linesign {

template <typename T>
struct Range {
  T min;
  T max;
};

// One table of the file. Each getter marks its key as known, whether the key is there or not, and
// returns `fallback` when it is absent.
class SettingsTable final {
 public:
  bool has(std::string_view key) const;  // marks the key as known, too

  Result<std::string> text(std::string_view key, std::string_view fallback) const;
  Result<std::string> required_text(std::string_view key) const;
  Result<bool> boolean(std::string_view key, bool fallback) const;
  Result<int64_t> integer(std::string_view key, Range<int64_t> range, int64_t fallback) const;
  Result<double> decimal(std::string_view key, Range<double> range, double fallback) const;
  Result<std::chrono::milliseconds> duration(std::string_view key,
                                             Range<std::chrono::milliseconds> range,
                                             std::chrono::milliseconds fallback) const;
  Result<uint64_t> size_bytes(std::string_view key, Range<uint64_t> range, uint64_t fallback) const;

  // One of `allowed`, returned as its index.
  Result<size_t> choice(std::string_view key,
                        std::span<const std::string_view> allowed,
                        size_t fallback) const;

  // Relative to the folder of the file. An absent key with an empty fallback is an empty path.
  Result<std::filesystem::path> path(std::string_view key, std::string_view fallback) const;
  Result<std::filesystem::path> required_path(std::string_view key) const;

  Result<std::vector<std::string>> text_list(std::string_view key,
                                             std::vector<std::string> fallback) const;
  Result<std::vector<std::filesystem::path>> path_list(std::string_view key) const;

  // "key = {name = ...}" whose names mean something to others only: any name is known. Empty when
  // absent.
  Result<std::map<std::string, std::string>> text_map(std::string_view key) const;
  Result<std::map<std::string, double, std::less<>>> decimal_map(std::string_view key,
                                                                 Range<double> range) const;

  // A sub-table; an absent one reads as empty, so that defaults apply.
  Result<SettingsTable> table(std::string_view key) const;

  // "[[key]]", as often as it stands there. What one of them asks for is known in all.
  Result<std::vector<SettingsTable>> tables(std::string_view key) const;

  // An error that points at this key: for checks that only the caller can make.
  Error error_at(std::string_view key, ErrorCode code, std::string_view what) const;

 private:
  friend class SettingsFile;
  struct State;
  SettingsTable(std::shared_ptr<State> state, std::string prefix, const void* node);
  const void* find(std::string_view key) const;                // toml::node; marks the key as known
  Result<const void*> free_table(std::string_view key) const;  // toml::table, or null
  std::shared_ptr<State> state_;
  std::string prefix_;          // "hsm." in front of the key in messages
  const void* node_ = nullptr;  // toml::table, or null for an absent one
};

class SettingsFile final {
 public:
  // ConfigUnreadable, ConfigSyntax. At most 1 MiB.
  static Result<SettingsFile> load(const std::filesystem::path& path);
  // `path` only names the text in messages and anchors relative paths.
  static Result<SettingsFile> parse(std::string_view text, const std::filesystem::path& path);

  SettingsTable root() const;

  // After all is read: ConfigUnknownKey for the first key that no getter asked for. Tables named in
  // `ignored_tables` belong to another reader of the same file.
  Result<void> check_all_known(std::span<const std::string_view> ignored_tables = {}) const;

  // Every key that a getter asked for so far, tables included: "hsm", "hsm.signers". Sorted.
  std::vector<std::string> known_keys() const;

 private:
  explicit SettingsFile(std::shared_ptr<SettingsTable::State> state);
  std::shared_ptr<SettingsTable::State> state_;
};

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_SETTINGS_SETTINGS_FILE_H_
