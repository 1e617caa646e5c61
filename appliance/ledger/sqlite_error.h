// SqliteError: what SQLite and Poco::Data say, as an Error, decided at this one place.
//
// Errors   disk full: LedgerDiskFull. Damaged: LedgerCorrupt. Locked by another: LedgerInUse. Wrong
//          use, or a constraint that our code should not have met: Internal. Everything else that
//          the system may do to a file: LedgerUnavailable
// Threads  no state
#ifndef LINESIGN_APPLIANCE_LEDGER_SQLITE_ERROR_H_
#define LINESIGN_APPLIANCE_LEDGER_SQLITE_ERROR_H_

#include <string_view>
#include <type_traits>
#include <utility>

#include <Poco/Exception.h>
#include <sqlite3.h>

#include "protocol/base/result.h"

namespace linesign {

// `doing` is for people: "recording an intent".
Error sqlite_error(sqlite3* database, int result_code, std::string_view doing);
// `database` may be null: then the exception is all that is known.
Error poco_error(sqlite3* database, const Poco::Exception& exception, std::string_view doing);

// Runs `body`, which calls Poco::Data and returns a Result, and turns exceptions into errors.
template <typename Body>
std::invoke_result_t<Body> guarded(sqlite3* database, std::string_view doing, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (const Poco::Exception& exception) {
    return fail(poco_error(database, exception, doing));
  }
}

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_LEDGER_SQLITE_ERROR_H_
