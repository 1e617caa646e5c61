#include "appliance/ledger/ledger.h"

#include <algorithm>
#include <utility>

#include <Poco/Data/Statement.h>
#include <fmt/format.h>

#include "appliance/ledger/ledger_implementation.h"

namespace linesign {

using namespace Poco::Data::Keywords;  // NOLINT(google-build-using-namespace): Poco's own idiom

Result<std::unique_ptr<Ledger::Implementation>> Ledger::Implementation::open(
    const LedgerSettings& settings, const LedgerId* only) {
  const bool is_recorded = !settings.state_file.empty();
  std::optional<LedgerState> known;
  if (is_recorded) {
    LS_TRY(known, read_ledger_state(settings.state_file));
    LS_CHECK(check_ledger_files(settings, known));
  }
  LS_TRY(std::unique_ptr<Database> database,
         Database::open(settings, known.has_value() ? kSchemaWithIdentity : 0, only));
  LS_TRY(LedgerStatements statements, LedgerStatements::prepare(database->handle()));
  std::unique_ptr<Implementation> made(
      new Implementation(std::move(database), std::move(statements)));
  LS_CHECK(made->load());
  LS_CHECK(made->load_state());
  if (is_recorded) {
    LS_CHECK(made->compare(settings, known));
    LS_CHECK(made->write_record(settings));
  }
  LS_TRY(made->cloud_, LedgerCloud::open(*made));
  return made;
}

Result<int64_t> Ledger::Implementation::number(const char* sql) {
  return guarded(database_->handle(), "reading the ledger's counters", [&]() -> Result<int64_t> {
    Poco::Int64 value = 0;
    database_->session() << sql, into(value), now;
    return value;
  });
}

// What is read here does not grow with the ledger, and neither do the checks: CROSS JOIN begins
// with its left side (SQLite would go through all issuances).
Result<void> Ledger::Implementation::load() {
  LS_TRY(const int64_t newest, number("SELECT coalesce(max(id), 0) FROM issuance"));
  LS_TRY(const int64_t newest_void,
         number("SELECT coalesce(max(issuance_id), 0) FROM void_issuance"));
  next_id_ = std::max(newest, newest_void) + 1;
  LS_TRY(const int64_t open, number("SELECT count(*) FROM open_intent"));
  LS_TRY(
      const int64_t sound,
      number(
          "SELECT count(*) FROM open_intent AS o CROSS JOIN issuance AS i ON i.id = o.issuance_id"
          " WHERE NOT EXISTS (SELECT 1 FROM certificate AS c WHERE c.issuance_id = i.id)"));
  if (sound != open)
    return fail(ErrorCode::LedgerCorrupt,
                fmt::format("{} of {} open intents have no row or an end", open - sound, open));
  LS_TRY(const int64_t reserved, number("SELECT coalesce(sum(reserved), 0) FROM production_order"));
  LS_TRY(const int64_t voided, number("SELECT coalesce(sum(voided), 0) FROM production_order"));
  if (reserved < open)
    return fail(ErrorCode::LedgerCorrupt,
                fmt::format("{} open intents, but only {} units are reserved", open, reserved));
  LS_TRY(const int64_t newest_at,
         number("SELECT max(coalesce((SELECT issued_at FROM issuance ORDER BY id DESC LIMIT 1), 0),"
                " coalesce((SELECT committed_at FROM certificate"
                "           ORDER BY issuance_id DESC LIMIT 1), 0),"
                " coalesce((SELECT voided_at FROM void_issuance"
                "           ORDER BY issuance_id DESC LIMIT 1), 0))"));
  summary_.intents = static_cast<uint64_t>(open);
  summary_.certificates = static_cast<uint64_t>(reserved - open);
  summary_.voids = static_cast<uint64_t>(voided);
  if (newest_at != 0) summary_.newest_at = UnixTime(std::chrono::seconds(newest_at));
  return {};
}

Result<void> Ledger::Implementation::check_usable() const {
  if (!is_broken_) return {};
  return fail(ErrorCode::LedgerUnavailable, "a transaction failed; the ledger must be reopened");
}

Result<void> Ledger::Implementation::begin() {
  LS_CHECK(check_usable());
  if (in_transaction_) return fail(ErrorCode::Internal, "a transaction inside of another");
  const auto begun = finish(sql_[Sql::Begin].execute());
  if (!begun.has_value()) return fail(begun.error());
  in_transaction_ = true;
  return {};
}

Result<void> Ledger::Implementation::commit() {
  LS_CHECK(check_usable());
  if (!in_transaction_) return fail(ErrorCode::Internal, "a commit without a transaction");
  for (auto& [name, order] : orders_) {
    if (!order.is_changed) continue;
    const auto saved = finish(sql_[Sql::SaveOrder].execute(order.reserved, order.voided, order.id));
    if (!saved.has_value()) return fail(saved.error());
    order.is_changed = false;
  }
  in_transaction_ = false;
  const auto committed = sql_[Sql::Commit].execute();
  Result<void> done;
  if (committed.has_value()) {
    done = check_files();
    if (done.has_value()) return done;
  }
  is_broken_ = true;
  if (committed.has_value() && done.error().code() == ErrorCode::LedgerReplaced) return done;
  const Error& error = committed.has_value() ? done.error() : committed.error();
  return fail(ErrorCode::LedgerCommitUnknown, error.to_string());
}

// What is in memory may be ahead of what is committed, if a transaction failed.
Result<std::string> Ledger::Implementation::rescue(const std::filesystem::path& spare_folder) {
  LS_CHECK(database_->roll_back());
  LS_CHECK(load());
  LS_CHECK(load_state());
  return database_->rescue(spare_folder);
}

// It cannot fail: it only sets the number.
void Ledger::Implementation::checkpoint_every(int pages) {
  sqlite3_wal_autocheckpoint(database_->handle(), pages);
}

void Ledger::Implementation::note_time(UnixTime at) {
  if (!summary_.newest_at.has_value() || *summary_.newest_at < at) summary_.newest_at = at;
}

Ledger::Ledger(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
Ledger::~Ledger() = default;

Result<std::unique_ptr<Ledger>> Ledger::open(const LedgerSettings& settings) {
  LS_TRY(std::unique_ptr<Implementation> implementation, Implementation::open(settings));
  return std::unique_ptr<Ledger>(new Ledger(std::move(implementation)));
}

Result<void> Ledger::begin() { return implementation_->begin(); }
Result<void> Ledger::commit() { return implementation_->commit(); }
void Ledger::checkpoint_every(int pages) { implementation_->checkpoint_every(pages); }
Result<void> Ledger::check_files() const { return implementation_->check_files(); }
Result<std::string> Ledger::rescue(const std::filesystem::path& spare_folder) {
  return implementation_->rescue(spare_folder);
}
LedgerState Ledger::state() const { return implementation_->state(); }
Result<void> Ledger::prepare_close() { return implementation_->prepare_close(); }

Result<IntentOutcome> Ledger::record_intent(const NewIntent& intent) {
  return implementation_->write([&] { return implementation_->record_intent(intent); });
}

Result<void> Ledger::record_certificate(uint64_t issuance_id, ByteView signature, UnixTime at) {
  return implementation_->write(
      [&] { return implementation_->record_certificate(issuance_id, signature, at); });
}

Result<void> Ledger::record_void(uint64_t issuance_id, ErrorCode reason, UnixTime at) {
  return implementation_->write(
      [&] { return implementation_->record_void(issuance_id, reason, at); });
}

Result<void> Ledger::record_delivery(uint64_t issuance_id, int64_t station_id, UnixTime at) {
  return implementation_->write(
      [&] { return implementation_->record_delivery(issuance_id, station_id, at); });
}

Result<void> Ledger::record_confirmation(std::string_view order_id,
                                         std::string_view device_id,
                                         const Sha256& certificate_hash,
                                         UnixTime at) {
  return implementation_->write([&] {
    return implementation_->record_confirmation(order_id, device_id, certificate_hash, at);
  });
}

Result<void> Ledger::remember_profile(const Sha256& profile_hash,
                                      std::string_view canonical_text,
                                      ByteView ca_certificate_der,
                                      ByteView signature_algorithm_der,
                                      UnixTime at) {
  return implementation_->write([&] {
    return implementation_->remember_profile(
        profile_hash, canonical_text, ca_certificate_der, signature_algorithm_der, at);
  });
}

Result<std::optional<StoredCertificate>> Ledger::find_certificate(std::string_view order_id,
                                                                  std::string_view device_id) {
  return implementation_->read(
      [&] { return implementation_->find_certificate(order_id, device_id); });
}

Result<std::optional<StoredCertificate>> Ledger::find_certificate(uint64_t issuance_id) {
  return implementation_->read([&] { return implementation_->find_certificate(issuance_id); });
}

Result<std::vector<RecordedIntent>> Ledger::open_intents() {
  return implementation_->read([&] { return implementation_->open_intents(); });
}

Result<LedgerSummary> Ledger::summary() {
  return implementation_->read(
      [&]() -> Result<LedgerSummary> { return implementation_->summary(); });
}

Result<void> Ledger::record_clock_event(const ClockEvent& event) {
  return implementation_->write([&] { return implementation_->record_clock_event(event); });
}

Result<LedgerTime> Ledger::time() {
  return implementation_->read([&] { return implementation_->time(); });
}

Result<StationRecord> Ledger::add_station(std::string_view name,
                                          const Sha256& secret_hash,
                                          UnixTime now,
                                          UnixTime token_expires_at) {
  return implementation_->write(
      [&] { return implementation_->add_station(name, secret_hash, now, token_expires_at); });
}

Result<StationRecord> Ledger::check_token(const Sha256& secret_hash,
                                          const Sha256& key_hash,
                                          UnixTime now) {
  return implementation_->read(
      [&] { return implementation_->check_token(secret_hash, key_hash, now); });
}

Result<void> Ledger::activate_station(int64_t station_id,
                                      const Sha256& key_hash,
                                      ByteView certificate_der,
                                      UnixTime now) {
  return implementation_->write([&] {
    return implementation_->activate_station(station_id, key_hash, certificate_der, now);
  });
}

Result<StationRecord> Ledger::revoke_station(std::string_view name, UnixTime now) {
  return implementation_->write([&] { return implementation_->revoke_station(name, now); });
}

Result<std::vector<StationRecord>> Ledger::stations() {
  return implementation_->read([&] { return implementation_->stations(); });
}

LedgerCloud& Ledger::cloud() { return implementation_->cloud(); }

}  // namespace linesign
