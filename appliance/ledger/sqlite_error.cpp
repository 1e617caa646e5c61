#include "appliance/ledger/sqlite_error.h"

#include <cerrno>

#include <Poco/Data/SQLite/SQLiteException.h>
#include <fmt/format.h>

#include "protocol/base/file.h"

namespace linesign {
namespace {

namespace sqlite = Poco::Data::SQLite;

ErrorCode code_for(int result_code, int system_errno) {
  switch (result_code & 0xff) {
    case SQLITE_FULL:
      return ErrorCode::LedgerDiskFull;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::LedgerCorrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorCode::LedgerInUse;
    case SQLITE_ERROR:
    case SQLITE_INTERNAL:
    case SQLITE_SCHEMA:
    case SQLITE_TOOBIG:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
      return ErrorCode::Internal;
    default:
      // SQLite knows ENOSPC, but takes a used-up quota or size limit for any other I/O error.
      return system_errno == EDQUOT || system_errno == EFBIG ? ErrorCode::LedgerDiskFull
                                                             : ErrorCode::LedgerUnavailable;
  }
}

int result_code_of(const Poco::Exception& exception) {
  const auto is = [&]<typename Type>(std::type_identity<Type>) {
    return dynamic_cast<const Type*>(&exception) != nullptr;
  };
  if (is(std::type_identity<sqlite::DatabaseFullException>{})) return SQLITE_FULL;
  if (is(std::type_identity<sqlite::CorruptImageException>{})) return SQLITE_CORRUPT;
  if (is(std::type_identity<sqlite::DBLockedException>{})) return SQLITE_BUSY;
  if (is(std::type_identity<sqlite::TableLockedException>{})) return SQLITE_LOCKED;
  if (is(std::type_identity<sqlite::ConstraintViolationException>{})) return SQLITE_CONSTRAINT;
  if (is(std::type_identity<sqlite::InvalidSQLStatementException>{})) return SQLITE_ERROR;
  return SQLITE_IOERR;
}

bool is_failure(int result_code) {
  return result_code != SQLITE_OK && result_code != SQLITE_ROW && result_code != SQLITE_DONE;
}

}  // namespace

Error sqlite_error(sqlite3* database, int result_code, std::string_view doing) {
  const int system_errno = database != nullptr ? sqlite3_system_errno(database) : 0;
  const bool is_io = (result_code & 0xff) == SQLITE_IOERR || (result_code & 0xff) == SQLITE_FULL ||
                     (result_code & 0xff) == SQLITE_CANTOPEN;
  std::string detail =
      fmt::format("{}: {} (SQLite {})", doing, sqlite3_errstr(result_code), result_code);
  if (is_io && system_errno != 0) detail += ": " + errno_text(system_errno);
  return Error(code_for(result_code, is_io ? system_errno : 0), std::move(detail));
}

Error poco_error(sqlite3* database, const Poco::Exception& exception, std::string_view doing) {
  // SQLite's own code says more than the exception's type, if the connection still has it.
  const int last = database != nullptr ? sqlite3_extended_errcode(database) : SQLITE_OK;
  const int result_code = is_failure(last) ? last : result_code_of(exception);
  const Error error = sqlite_error(database, result_code, doing);
  return Error(error.code(), error.detail() + ": " + exception.displayText());
}

}  // namespace linesign
