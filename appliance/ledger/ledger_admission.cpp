// Is this the ledger that this appliance has used, and as new as it was? And an operator's word
// that it is from now on.
#include <sys/stat.h>
#include <unistd.h>

#include <Poco/Data/Statement.h>
#include <fmt/format.h>

#include "appliance/ledger/ledger_implementation.h"
#include "appliance/ledger/row_time.h"

namespace linesign {
namespace {

bool is_accepted_by(ErrorCode refused, ErrorCode found) {
  if (refused == ErrorCode::LedgerUnknown) return found == ErrorCode::LedgerUnknown;
  return found == ErrorCode::LedgerOlder || found == ErrorCode::LedgerReplaced;
}

// Files that another user makes here linesignd could not open.
Result<void> check_owner(const std::filesystem::path& folder) {
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0 || status.st_uid == ::geteuid()) return {};
  return fail(ErrorCode::LedgerUnavailable,
              fmt::format("{} belongs to user {}, but this runs as user {}: run it as linesignd's "
                          "user (sudo -u), whose folder this must be",
                          folder.string(),
                          status.st_uid,
                          ::geteuid()));
}

}  // namespace

LedgerState Ledger::Implementation::state() const {
  LedgerState state = state_;
  state.certificates = summary_.certificates;
  state.voids = summary_.voids;
  return state;
}

// After load().
Result<void> Ledger::Implementation::load_state() {
  LS_TRY(Statement identity,
         Statement::prepare(database_->handle(),
                            "reading the ledger's identity",
                            "SELECT ledger_id, awaits_record FROM ledger_identity WHERE id = 1"));
  LS_TRY(const int64_t rows, identity.query([this](const Statement& row) {
    state_.ledger_id = row.array<16>(0);
    awaits_record_ = row.integer(1) != 0;
  }));
  if (rows != 1) return fail(ErrorCode::LedgerCorrupt, "ledger_identity has no row");
  state_.newest = static_cast<uint64_t>(next_id_ - 1);
  LS_TRY(const auto serial, serial_of(state_.newest));
  state_.newest_serial = serial.value_or(SerialNumber{});
  LS_TRY(const int64_t changes,
         number("SELECT count(*) + count(enrolled_at) + count(revoked_at) FROM station"));
  state_.station_changes = static_cast<uint64_t>(changes);
  return {};
}

Result<std::optional<SerialNumber>> Ledger::Implementation::serial_of(uint64_t number) {
  std::optional<SerialNumber> serial;
  LS_TRY(Statement query,
         Statement::prepare(database_->handle(),
                            "reading a serial number",
                            "SELECT serial FROM issuance WHERE id = $1 UNION ALL"
                            " SELECT serial FROM void_issuance WHERE issuance_id = $1"));
  LS_CHECK(query.query([&](const Statement& row) { serial = row.array<kSerialBytes>(0); },
                       static_cast<int64_t>(number)));
  return serial;
}

Result<void> Ledger::Implementation::compare(const LedgerSettings& settings,
                                             const std::optional<LedgerState>& known) {
  FoundLedger found;
  found.state = state();
  found.awaits_record = awaits_record_;
  LS_TRY(found.serial_of_known, serial_of(known.has_value() ? known->newest : 0));
  return compare_ledger(settings, known, found);
}

Result<void> Ledger::Implementation::write_record(const LedgerSettings& settings) {
  database_->keep_wal();
  LS_CHECK(write_ledger_state(settings.state_file, state()));
  if (!awaits_record_) return {};
  LS_TRY(Statement update,
         Statement::prepare(database_->handle(),
                            "recording that there is a record",
                            "UPDATE ledger_identity SET awaits_record = 0"));
  LS_CHECK(begin());
  LS_CHECK(update.execute());
  LS_CHECK(commit());
  awaits_record_ = false;
  return {};
}

Result<void> Ledger::Implementation::record_event(std::string_view event,
                                                  std::string_view detail,
                                                  UnixTime at) {
  LS_TRY(Statement insert,
         Statement::prepare(database_->handle(),
                            "recording an event",
                            "INSERT INTO ledger_event (at, event, detail) VALUES ($1, $2, $3)"));
  LS_CHECK(begin());
  LS_CHECK(insert.execute(to_seconds(at), event, detail));
  return commit();
}

Result<std::string> Ledger::accept(const LedgerSettings& settings,
                                   ErrorCode refused,
                                   UnixTime now) {
  LS_CHECK(check_owner(settings.directory));
  LS_CHECK(check_owner(settings.state_file.parent_path()));
  const auto read = read_ledger_state(settings.state_file);
  const std::optional<LedgerState> known = read.value_or(std::nullopt);
  Result<void> verdict = check_ledger_files(settings, known);
  if (!verdict && verdict.error().code() == ErrorCode::LedgerUnavailable)
    return fail(verdict.error());
  if (!read) verdict = fail(read.error());
  // Only a ledger of ours needs its -wal.
  const bool lacks_log = !verdict && verdict.error().code() == ErrorCode::LedgerReplaced;
  if (!verdict && !lacks_log && !is_accepted_by(refused, verdict.error().code()))
    return fail(verdict.error());
  const bool is_new = refused == ErrorCode::LedgerUnknown;
  // Without a state file nothing is compared; but a backup of another appliance is not migrated.
  LS_TRY(std::unique_ptr<Implementation> implementation,
         Implementation::open({.directory = settings.directory, .vfs = settings.vfs},
                              is_new || !known.has_value() ? nullptr : &known->ledger_id));
  Implementation& opened = *implementation;
  const Result<void> compared = opened.compare(settings, known);
  if (!compared && (verdict || lacks_log)) verdict = compared;
  const bool is_ours = known.has_value() && known->ledger_id == opened.state().ledger_id;
  if (!verdict && !is_accepted_by(refused, verdict.error().code()) && (is_new || !is_ours))
    return fail(verdict.error());
  const char* event = is_new ? "new_ledger" : "restored_ledger";
  if (!verdict) LS_CHECK(opened.record_event(event, verdict.error().detail(), now));
  LS_CHECK(opened.write_record(settings));
  LS_CHECK(opened.prepare_close());
  LedgerState state = opened.state();
  state.is_closed = true;
  LS_CHECK(write_ledger_state(settings.state_file, state));
  if (verdict.has_value())
    return fmt::format("{} is the ledger that this appliance has used; there is nothing to accept.",
                       settings.directory.string());
  return fmt::format("Accepted {} with {} certificates. Start linesignd as usual now.",
                     settings.directory.string(),
                     state.certificates);
}

}  // namespace linesign
