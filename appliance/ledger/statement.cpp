#include "appliance/ledger/statement.h"

#include <fmt/format.h>

namespace linesign {

Result<Statement> Statement::prepare(sqlite3* database, const char* purpose, std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(database,
                                      sql.data(),
                                      static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT,
                                      &statement,
                                      nullptr);
  if (code == SQLITE_OK) return Statement(database, purpose, statement);
  // The schema version fits, so a missing table or column means that somebody changed the file.
  if ((code & 0xff) == SQLITE_ERROR)
    return fail(ErrorCode::LedgerCorrupt, fmt::format("{}: {}", purpose, sqlite3_errmsg(database)));
  return fail(sqlite_error(database, code, purpose));
}

void Statement::bind(int position, int64_t value) {
  sqlite3_bind_int64(statement_.get(), position, value);
}

void Statement::bind(int position, ByteView value) {
  // A null pointer would bind NULL.
  const void* data = value.empty() ? "" : static_cast<const void*>(value.data());
  sqlite3_bind_blob(
      statement_.get(), position, data, static_cast<int>(value.size()), SQLITE_STATIC);
}

void Statement::bind(int position, std::string_view value) {
  const char* data = value.empty() ? "" : value.data();
  sqlite3_bind_text(
      statement_.get(), position, data, static_cast<int>(value.size()), SQLITE_STATIC);
}

void Statement::bind(int position, std::nullopt_t /*value*/) {
  sqlite3_bind_null(statement_.get(), position);
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement_.get());
    return false;
  }
  failure_ = sqlite3_extended_errcode(database_);
  Error error = sqlite_error(database_, failure_, purpose_);
  sqlite3_reset(statement_.get());
  return fail(std::move(error));
}

Result<int64_t> Statement::finish() {
  LS_TRY(const bool has_row, step());
  if (has_row) {
    sqlite3_reset(statement_.get());
    return fail(ErrorCode::Internal, std::string(purpose_) + ": unexpected row");
  }
  return sqlite3_changes64(database_);
}

int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

std::string_view Statement::text(int column) const {
  const unsigned char* data = sqlite3_column_text(statement_.get(), column);
  if (data == nullptr) return {};
  return {reinterpret_cast<const char*>(data),
          static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

ByteView Statement::blob(int column) const {
  const void* data = sqlite3_column_blob(statement_.get(), column);
  return {static_cast<const uint8_t*>(data),
          static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

}  // namespace linesign
