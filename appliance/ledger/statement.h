// Statement: one prepared SQLite statement of the issuance path.
//
// Everything that runs once per certificate uses this instead of Poco::Data::Statement, which costs
// about 6 microseconds a statement before SQLite sees it: more than the insert itself. The
// connection is Poco's (see docs/ledger.md, "Two ways to one connection").
//
// Ownership  bound views are borrowed until the call returns
// Errors     see sqlite_error.h
// Threads    that of the ledger
#ifndef LINESIGN_APPLIANCE_LEDGER_STATEMENT_H_
#define LINESIGN_APPLIANCE_LEDGER_STATEMENT_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include <sqlite3.h>

#include "appliance/ledger/sqlite_error.h"
#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

namespace linesign {

class Statement final {
 public:
  // `purpose` is a literal; it stands in errors. The statement is compiled once, here.
  static Result<Statement> prepare(sqlite3* database, const char* purpose, std::string_view sql);

  // Runs a statement without rows; gives the number of rows it changed.
  template <typename... Values>
  Result<int64_t> execute(const Values&... values) {
    bind_all(values...);
    return finish();
  }

  // Calls `read(statement)` for each row; gives the number of rows.
  template <typename Read, typename... Values>
  Result<int64_t> query(Read read, const Values&... values) {
    bind_all(values...);
    int64_t rows = 0;
    for (;;) {
      auto has_row = step();
      if (!has_row.has_value()) return fail(std::move(has_row).error());
      if (!*has_row) return rows;
      read(*this);
      ++rows;
    }
  }

  // SQLite's extended code of the last failure: tells one constraint from another.
  int failure() const { return failure_; }

  // Columns of the current row, counted from 0.
  int64_t integer(int column) const;
  bool is_null(int column) const;
  std::string_view text(int column) const;  // until the next step
  ByteView blob(int column) const;          // until the next step
  // REQUIRES: the column has the array's length; a shorter one means damage and reads as zeros.
  template <size_t kSize>
  std::array<uint8_t, kSize> array(int column) const {
    std::array<uint8_t, kSize> value{};
    const ByteView bytes = blob(column);
    if (bytes.size() == kSize) std::copy(bytes.begin(), bytes.end(), value.begin());
    return value;
  }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  Statement(sqlite3* database, const char* purpose, sqlite3_stmt* statement)
      : database_(database), purpose_(purpose), statement_(statement) {}

  template <typename... Values>
  void bind_all(const Values&... values) {
    int position = 0;
    (bind(++position, values), ...);
  }
  void bind(int position, int64_t value);
  void bind(int position, ByteView value);
  void bind(int position, std::string_view value);
  void bind(int position, std::nullopt_t value);
  template <typename T>
  void bind(int position, const std::optional<T>& value) {
    if (value.has_value()) {
      bind(position, *value);
    } else {
      bind(position, std::nullopt);
    }
  }

  // True: a row. False: done, and reset.
  Result<bool> step();
  Result<int64_t> finish();

  sqlite3* database_;
  const char* purpose_;
  int failure_ = SQLITE_OK;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_LEDGER_STATEMENT_H_
