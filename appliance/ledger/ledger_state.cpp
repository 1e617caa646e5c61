#include "appliance/ledger/ledger_state.h"

#include <algorithm>
#include <limits>
#include <system_error>

#include <fmt/format.h>

#include "protocol/base/file.h"
#include "protocol/settings/settings_file.h"

namespace linesign {
namespace {

constexpr mode_t kPrivateFile = 0600;
constexpr mode_t kPrivateFolder = 0700;
constexpr Range<int64_t> kCounts = {0, std::numeric_limits<int64_t>::max()};

constexpr const char* kNewLedger =
    "Check that the right disk is mounted there. To use this ledger from now on: linesignd "
    "--new-ledger";
constexpr const char* kRestoredLedger =
    "Put the newest copy in place. To go on with this one, as after the restore of a backup: "
    "linesignd --restored-ledger";

Result<bool> is_present(const std::filesystem::path& path) {
  std::error_code error;
  const bool is_there = std::filesystem::exists(path, error);
  if (!error) return is_there;
  return fail(ErrorCode::LedgerUnavailable, fmt::format("{}: {}", path.string(), error.message()));
}

// The folder may be one.
Result<void> refuse_link(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_symlink(path, error)) return {};
  return fail(ErrorCode::LedgerUnavailable,
              fmt::format("{} is a symbolic link. Put the file itself there, or point directory in "
                          "[ledger] to the folder that has it",
                          path.string()));
}

std::string counts(const LedgerState& state) {
  return fmt::format("{} certificates, {} voids, newest number {}, {} changes of stations",
                     state.certificates,
                     state.voids,
                     state.newest,
                     state.station_changes);
}

bool is_empty(const LedgerState& state) { return state.newest == 0 && state.station_changes == 0; }

bool is_behind(const LedgerState& found, const LedgerState& known) {
  return found.newest < known.newest || found.certificates < known.certificates ||
         found.voids < known.voids || found.station_changes < known.station_changes;
}

template <size_t kSize>
Result<std::array<uint8_t, kSize>> read_hex(const SettingsTable& table, std::string_view key) {
  LS_TRY(const std::string text, table.required_text(key));
  const auto bytes = from_hex(text);
  std::array<uint8_t, kSize> value{};
  if (!bytes.has_value() || bytes->size() != kSize)
    return fail(
        table.error_at(key, ErrorCode::ConfigRange, fmt::format("expected {} bytes", kSize)));
  std::copy(bytes->begin(), bytes->end(), value.begin());
  return value;
}

Result<uint64_t> read_count(const SettingsTable& table, std::string_view key) {
  LS_TRY(const int64_t value, table.integer(key, kCounts, -1));
  if (value < 0) return fail(table.error_at(key, ErrorCode::ConfigMissing, "expected a number"));
  return static_cast<uint64_t>(value);
}

Result<LedgerState> parse(const std::filesystem::path& file) {
  LS_TRY(const SettingsFile settings, SettingsFile::load(file));
  const SettingsTable root = settings.root();
  LedgerState state;
  LS_TRY(state.ledger_id, (read_hex<16>(root, "ledger_id")));
  LS_TRY(state.newest, read_count(root, "newest"));
  LS_TRY(state.newest_serial, (read_hex<kSerialBytes>(root, "newest_serial")));
  LS_TRY(state.certificates, read_count(root, "certificates"));
  LS_TRY(state.voids, read_count(root, "voids"));
  LS_TRY(state.station_changes, read_count(root, "station_changes"));
  LS_TRY(state.is_closed, root.boolean("closed", false));
  LS_CHECK(settings.check_all_known());
  return state;
}

Result<void> compare_without_record(const LedgerSettings& settings, const FoundLedger& found) {
  if (found.awaits_record) return {};
  LS_TRY(const bool is_in_use, is_present(settings.in_use_mark));
  if (is_empty(found.state) && !is_in_use) return {};
  return fail(ErrorCode::LedgerUnknown,
              fmt::format("{} has {}; {} is missing, so this appliance has recorded no ledger. {}",
                          settings.directory.string(),
                          counts(found.state),
                          settings.state_file.string(),
                          kNewLedger));
}

}  // namespace

Result<std::optional<LedgerState>> read_ledger_state(const std::filesystem::path& file) {
  LS_TRY(const bool is_there, is_present(file));
  if (!is_there) return std::optional<LedgerState>();
  auto state = parse(file);
  if (state.has_value()) return std::optional<LedgerState>(*state);
  if (state.error().code() == ErrorCode::ConfigUnreadable)
    return fail(ErrorCode::LedgerUnavailable, state.error().detail());
  return fail(ErrorCode::LedgerUnknown,
              fmt::format("what this appliance recorded of its ledger cannot be read: {}. {}",
                          state.error().detail(),
                          kNewLedger));
}

Result<void> write_ledger_state(const std::filesystem::path& file, const LedgerState& state) {
  const std::string text = fmt::format(
      "# What linesignd has recorded of its ledger (docs/ledger.md, section 10). Do not edit.\n"
      "ledger_id = \"{}\"\n"
      "newest = {}\n"
      "newest_serial = \"{}\"\n"
      "certificates = {}\n"
      "voids = {}\n"
      "station_changes = {}\n"
      "closed = {}\n",
      to_hex(state.ledger_id),
      state.newest,
      to_hex(state.newest_serial),
      state.certificates,
      state.voids,
      state.station_changes,
      state.is_closed);
  Result<void> written = make_directories(file.parent_path(), kPrivateFolder);
  if (written.has_value())
    written = write_file_atomic(
        file, as_bytes(text), kPrivateFile, Overwrite::Replace, Durability::Synced);
  if (written.has_value()) return {};
  return fail(ErrorCode::LedgerUnavailable,
              fmt::format("what the ledger holds cannot be recorded in {}: {}",
                          file.string(),
                          written.error().detail()));
}

void remove_unfinished_state(const std::filesystem::path& file) {
  const std::string begin = "." + file.filename().string() + ".";
  std::error_code error;
  for (const auto& each : std::filesystem::directory_iterator(file.parent_path(), error)) {
    if (each.path().filename().string().rfind(begin, 0) == 0)
      std::filesystem::remove(each.path(), error);
  }
}

Result<void> check_ledger_files(const LedgerSettings& settings,
                                const std::optional<LedgerState>& known) {
  const std::filesystem::path file = settings.directory / kLedgerFileName;
  const std::filesystem::path log = file.string() + "-wal";
  LS_CHECK(refuse_link(file));
  LS_CHECK(refuse_link(log));
  LS_TRY(const bool is_there, is_present(file));
  if (!is_there) {
    LS_TRY(const bool is_in_use, is_present(settings.in_use_mark));
    if (!known.has_value() && !is_in_use) return {};
    return fail(ErrorCode::LedgerUnknown,
                fmt::format("{} does not exist (0 certificates), but this appliance has been in "
                            "use and recorded {}. {}",
                            file.string(),
                            known.has_value() ? counts(*known) : "nothing that is still known",
                            kNewLedger));
  }
  LS_TRY(const bool has_log, is_present(log));
  if (!known.has_value() || known->is_closed || has_log) return {};
  return fail(ErrorCode::LedgerReplaced,
              fmt::format("{} is missing, although linesignd was not stopped in order: what was "
                          "committed last may be lost with it. Recorded: {}. {}",
                          log.string(),
                          counts(*known),
                          kRestoredLedger));
}

Result<void> compare_ledger(const LedgerSettings& settings,
                            const std::optional<LedgerState>& known,
                            const FoundLedger& found) {
  if (!known.has_value()) return compare_without_record(settings, found);
  const std::string both = fmt::format("{} has {}; recorded in {}: {}",
                                       settings.directory.string(),
                                       counts(found.state),
                                       settings.state_file.string(),
                                       counts(*known));
  // Without a number 1 a ledger from before identities is told by nothing.
  const bool is_nameless = found.awaits_record && found.state.newest == 0;
  if (!is_nameless && found.state.ledger_id != known->ledger_id)
    return fail(ErrorCode::LedgerUnknown,
                fmt::format("{}; it is another ledger. {}", both, kNewLedger));
  if (is_behind(found.state, *known))
    return fail(ErrorCode::LedgerOlder, fmt::format("{}. {}", both, kRestoredLedger));
  if (known->newest != 0 && found.serial_of_known != known->newest_serial)
    return fail(ErrorCode::LedgerUnknown,
                fmt::format("{}; number {} is another certificate than the recorded one. {}",
                            both,
                            known->newest,
                            kNewLedger));
  const bool is_ahead = is_behind(*known, found.state);
  if (known->is_closed && is_ahead)
    return fail(ErrorCode::LedgerUnknown,
                fmt::format("{}; it is newer than at the last stop: somebody else has used it. {}",
                            both,
                            kNewLedger));
  return {};
}

}  // namespace linesign
