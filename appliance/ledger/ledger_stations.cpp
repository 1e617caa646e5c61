// Stations and their join tokens: seldom used, so plain Poco::Data.
#include <Poco/Data/LOB.h>
#include <Poco/Data/Statement.h>
#include <Poco/Nullable.h>
#include <fmt/format.h>

#include "appliance/ledger/ledger_implementation.h"
#include "appliance/ledger/row_time.h"
#include "hsm/x509/csr.h"

namespace linesign {
namespace {

using namespace Poco::Data::Keywords;  // NOLINT(google-build-using-namespace): Poco's own idiom
using Poco::Data::BLOB;

constexpr const char* kDoing = "reading or writing a station";
constexpr const char* kSelect =
    "SELECT id, name, state, certificate_sha256, certificate_der, created_at, enrolled_at,"
    " revoked_at, token_expires_at, token_key_sha256 FROM station ";

BLOB to_blob(ByteView bytes) { return BLOB(bytes.data(), bytes.size()); }
ByteView view(const BLOB& blob) { return {blob.rawContent(), blob.size()}; }

Sha256 to_hash(const BLOB& blob) {
  Sha256 hash{};
  if (blob.size() == hash.size()) std::copy_n(blob.rawContent(), hash.size(), hash.begin());
  return hash;
}

// A row, and the one column of it that StationRecord does not show.
struct StationRow {
  StationRecord record;
  std::optional<Sha256> token_key;
};

std::optional<UnixTime> optional_time(const Poco::Nullable<Poco::Int64>& value) {
  if (value.isNull()) return std::nullopt;
  return to_unix_time(value.value());
}

// The rows that `condition` ("WHERE ... = $1") gives; it has one value, or none and `value` is
// null. `condition` is a literal of this file.
template <typename Value>
std::vector<StationRow> select(Poco::Data::Session& session,
                               const char* condition,
                               const Value* value) {
  Poco::Int64 id = 0;
  Poco::Int64 state = 0;
  Poco::Int64 created = 0;
  Poco::Int64 expires = 0;
  std::string name;
  Poco::Nullable<BLOB> certificate_hash;
  Poco::Nullable<BLOB> certificate;
  Poco::Nullable<BLOB> token_key;
  Poco::Nullable<Poco::Int64> enrolled;
  Poco::Nullable<Poco::Int64> revoked;
  Poco::Data::Statement statement(session);
  statement << std::string(kSelect) + condition, into(id), into(name), into(state),
      into(certificate_hash), into(certificate), into(created), into(enrolled), into(revoked),
      into(expires), into(token_key), range(0, 1);
  if (value != nullptr) statement, bind(*value);
  std::vector<StationRow> rows;
  while (!statement.done()) {
    if (statement.execute() == 0) continue;
    StationRow row;
    row.record = {.id = id,
                  .name = name,
                  .state = static_cast<StationState>(state),
                  .certificate_hash = std::nullopt,
                  .certificate_der = {},
                  .created_at = to_unix_time(created),
                  .enrolled_at = optional_time(enrolled),
                  .revoked_at = optional_time(revoked),
                  .token_expires_at = to_unix_time(expires)};
    if (!certificate_hash.isNull()) row.record.certificate_hash = to_hash(certificate_hash.value());
    if (!certificate.isNull()) row.record.certificate_der = to_bytes(view(certificate.value()));
    if (!token_key.isNull()) row.token_key = to_hash(token_key.value());
    rows.push_back(std::move(row));
  }
  return rows;
}

std::optional<StationRow> live_station(Poco::Data::Session& session, const std::string& name) {
  auto rows = select(session, "WHERE name = $1 AND state <> 3", &name);
  if (rows.empty()) return std::nullopt;
  return std::move(rows.front());
}

void set_revoked(Poco::Data::Session& session, int64_t id, UnixTime at) {
  session << "UPDATE station SET state = 3, revoked_at = $1 WHERE id = $2", bind(to_seconds(at)),
      bind(Poco::Int64{id}), now;
}

}  // namespace

Result<StationRecord> Ledger::Implementation::add_station(std::string_view name,
                                                          const Sha256& secret_hash,
                                                          UnixTime at,
                                                          UnixTime token_expires_at) {
  return guarded(database_->handle(), kDoing, [&]() -> Result<StationRecord> {
    Poco::Data::Session& session = database_->session();
    const std::string wanted(name);
    if (const auto old = live_station(session, wanted); old.has_value()) {
      const bool is_stale = old->record.state == StationState::Invited &&
                            old->record.token_expires_at.value_or(UnixTime{}) <= at;
      if (!is_stale) return fail(ErrorCode::StationExists, wanted);
      set_revoked(session, old->record.id, at);
      ++state_.station_changes;
    }
    session << "INSERT INTO station (name, state, created_at, token_sha256, token_expires_at)"
               " VALUES ($1, 1, $2, $3, $4)",
        bind(wanted), bind(to_seconds(at)), bind(to_blob(secret_hash)),
        bind(to_seconds(token_expires_at)), now;
    ++state_.station_changes;
    auto added = live_station(session, wanted);
    if (!added.has_value()) return fail(ErrorCode::Internal, "a new station is not there");
    return std::move(added->record);
  });
}

Result<StationRecord> Ledger::Implementation::check_token(const Sha256& secret_hash,
                                                          const Sha256& key_hash,
                                                          UnixTime at) {
  return guarded(database_->handle(), kDoing, [&]() -> Result<StationRecord> {
    const BLOB wanted = to_blob(secret_hash);
    auto rows = select(database_->session(), "WHERE token_sha256 = $1", &wanted);
    if (rows.empty()) return fail(ErrorCode::TokenInvalid);
    StationRow& row = rows.front();
    switch (row.record.state) {
      case StationState::Active:
        // The reply may have been lost on its way: the same key may ask again, at any time.
        if (row.token_key != key_hash) return fail(ErrorCode::TokenUsed, row.record.name);
        return std::move(row.record);
      case StationState::Invited:
        if (row.record.token_expires_at.value_or(UnixTime{}) <= at)
          return fail(ErrorCode::TokenExpired, row.record.name);
        return std::move(row.record);
      case StationState::Revoked:
        break;
    }
    return fail(ErrorCode::TokenInvalid, row.record.name + ": revoked");
  });
}

Result<void> Ledger::Implementation::activate_station(int64_t station_id,
                                                      const Sha256& key_hash,
                                                      ByteView certificate_der,
                                                      UnixTime at) {
  return guarded(database_->handle(), kDoing, [&]() -> Result<void> {
    Poco::Data::Statement update(database_->session());
    // `state = 1` is what makes a token work once.
    update << "UPDATE station SET state = 2, certificate_sha256 = $1, certificate_der = $2,"
              " enrolled_at = $3, token_key_sha256 = $4 WHERE id = $5 AND state = 1",
        bind(to_blob(sha256(certificate_der))), bind(to_blob(certificate_der)),
        bind(to_seconds(at)), bind(to_blob(key_hash)), bind(Poco::Int64{station_id});
    if (update.execute() != 1)
      return fail(ErrorCode::TokenUsed, fmt::format("station id {}", station_id));
    ++state_.station_changes;
    return {};
  });
}

Result<StationRecord> Ledger::Implementation::revoke_station(std::string_view name, UnixTime at) {
  return guarded(database_->handle(), kDoing, [&]() -> Result<StationRecord> {
    Poco::Data::Session& session = database_->session();
    const std::string wanted(name);
    if (const auto live = live_station(session, wanted); live.has_value()) {
      set_revoked(session, live->record.id, at);
      ++state_.station_changes;
    }
    auto rows = select(session, "WHERE name = $1 ORDER BY id DESC LIMIT 1", &wanted);
    if (rows.empty()) return fail(ErrorCode::StationNotFound, wanted);
    return std::move(rows.front().record);
  });
}

Result<std::vector<StationRecord>> Ledger::Implementation::stations() {
  using Records = std::vector<StationRecord>;
  return guarded(database_->handle(), kDoing, [&]() -> Result<Records> {
    Records records;
    auto rows = select<std::string>(database_->session(), "ORDER BY id", nullptr);
    records.reserve(rows.size());
    for (StationRow& row : rows) records.push_back(std::move(row.record));
    return records;
  });
}

}  // namespace linesign
