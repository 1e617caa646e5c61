// What the ledger knows of the time. Seldom used, so plain Poco::Data.
#include <algorithm>

#include <Poco/Data/Statement.h>

#include "appliance/ledger/ledger_implementation.h"
#include "appliance/ledger/row_time.h"

namespace linesign {
namespace {

using namespace Poco::Data::Keywords;  // NOLINT(google-build-using-namespace): Poco's own idiom

constexpr const char* kClockDoing = "reading or writing what is known of the clock";

}  // namespace

Result<void> Ledger::Implementation::record_clock_event(const ClockEvent& event) {
  return guarded(database_->handle(), kClockDoing, [&]() -> Result<void> {
    database_->session() << "INSERT INTO clock_event (kind, clock_at, trusted_at, newest_issuance)"
                            " VALUES ($1, $2, $3, $4)",
        bind(Poco::Int64{static_cast<int64_t>(event.kind)}), bind(to_seconds(event.clock_at)),
        bind(to_seconds(event.trusted_at)), bind(Poco::Int64{next_id_ - 1}), now;
    return {};
  });
}

// Only issued_at counts: it alone is judged before it is written. Rows that are older than the last
// event count no more: an operator may have said that their time was wrong.
Result<LedgerTime> Ledger::Implementation::time() {
  return guarded(database_->handle(), kClockDoing, [&]() -> Result<LedgerTime> {
    Poco::Data::Session& session = database_->session();
    Poco::Int64 kind = 0;
    Poco::Int64 clock_at = 0;
    Poco::Int64 trusted_at = 0;
    Poco::Int64 known_until = 0;
    Poco::Int64 newest = 0;
    session << "SELECT kind, clock_at, trusted_at, newest_issuance FROM clock_event"
               " ORDER BY id DESC LIMIT 1",
        into(kind), into(clock_at), into(trusted_at), into(known_until), now;
    session << "SELECT max(coalesce((SELECT issued_at FROM issuance WHERE id > $1"
               "                     ORDER BY id DESC LIMIT 1), 0),"
               " coalesce((SELECT issued_at FROM void_issuance WHERE issuance_id > $2"
               "           ORDER BY issuance_id DESC LIMIT 1), 0))",
        into(newest), bind(known_until), bind(known_until), now;
    LedgerTime known;
    if (kind != 0)
      known.last_event = ClockEvent{.kind = static_cast<ClockEventKind>(kind),
                                    .clock_at = to_unix_time(clock_at),
                                    .trusted_at = to_unix_time(trusted_at)};
    newest = std::max(newest, trusted_at);
    if (newest != 0) known.newest_at = to_unix_time(newest);
    return known;
  });
}

}  // namespace linesign
