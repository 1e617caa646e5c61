// LedgerState: how far a ledger is, and the file outside of its folder that remembers it, so that
// an older copy, an empty or another ledger is noticed before anything is produced on it.
//
// Files    LedgerSettings::state_file, TOML, 0600; never ahead of what is durable in the ledger
// Errors   LedgerOlder, LedgerUnknown, LedgerReplaced: docs/ledger.md section 10; LedgerUnavailable
//          when the file cannot be read or written, whatever the reason
// Threads  no state, safe anywhere
#ifndef LINESIGN_APPLIANCE_LEDGER_LEDGER_STATE_H_
#define LINESIGN_APPLIANCE_LEDGER_LEDGER_STATE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "appliance/records/ledger_settings.h"
#include "protocol/base/ids.h"
#include "protocol/base/result.h"

namespace linesign {

constexpr int64_t kSchemaWithIdentity = 4;

using LedgerId = std::array<uint8_t, 16>;

struct LedgerState {
  LedgerId ledger_id{};
  uint64_t newest = 0;           // the highest number that an intent ever had
  SerialNumber newest_serial{};  // that of `newest`
  uint64_t certificates = 0;
  uint64_t voids = 0;
  uint64_t station_changes = 0;  // invited, enrolled, revoked: each counts
  bool is_closed = false;        // an orderly stop: the ledger has exactly this, and needs no -wal

  bool operator==(const LedgerState&) const = default;
};

// What is found when a ledger is opened, to be compared with what was recorded.
struct FoundLedger {
  LedgerState state;
  std::optional<SerialNumber> serial_of_known;  // of the row that the recorded state calls newest
  bool awaits_record = false;                   // it is from before records, and has none yet
};

// Absent if there is no file. A damaged one is LedgerUnknown, an unreadable one LedgerUnavailable.
Result<std::optional<LedgerState>> read_ledger_state(const std::filesystem::path& file);
// Durable when it returns.
Result<void> write_ledger_state(const std::filesystem::path& file, const LedgerState& state);

// What a kill while it was written has left. REQUIRES: nobody writes it now.
void remove_unfinished_state(const std::filesystem::path& file);

// Looks at names only, so that a folder without a ledger stays as it is. LedgerUnavailable if a
// file is a symbolic link: SQLite would put the log beside its target, where nobody looks.
Result<void> check_ledger_files(const LedgerSettings& settings,
                                const std::optional<LedgerState>& known);
Result<void> compare_ledger(const LedgerSettings& settings,
                            const std::optional<LedgerState>& known,
                            const FoundLedger& found);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_LEDGER_LEDGER_STATE_H_
