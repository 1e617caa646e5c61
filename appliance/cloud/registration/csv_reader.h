// CsvReader: the rows of a table as spreadsheets write it (RFC 4180 and its relatives).
//
// Shape    cells between ',', ';' or TAB; a quoted cell may hold separators, quotes ("") and line
//          breaks; CRLF, LF or CR ends a row. Rows of empty cells are left out. A first line
//          "sep=;" names the separator
// Limits   a row of kMaxReportLine bytes
// Errors   InputInvalid, without the line: a row is too long, a quote stands where none can
// Threads  one
#ifndef LINESIGN_APPLIANCE_CLOUD_REGISTRATION_CSV_READER_H_
#define LINESIGN_APPLIANCE_CLOUD_REGISTRATION_CSV_READER_H_

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <vector>

#include "protocol/base/result.h"

namespace linesign {

class CsvReader final {
 public:
  using Row = std::vector<std::string>;  // without white space at either end of a cell

  // Borrowed.
  explicit CsvReader(std::istream& in) : in_(in) {}

  // The first row. The separator is the one that makes most cells of it.
  Result<Row> header();
  // Absent: the end.
  Result<std::optional<Row>> next();

  // Where the last row began, or what is wrong with it, from 1.
  uint64_t line() const { return line_; }

 private:
  Result<std::string> read_raw();
  // False: the end.
  Result<bool> read_row(Row& row, char separator);
  // Behind the first quote of a cell, up to the last one.
  Result<void> read_quoted(std::string& cell, size_t& bytes);
  void end_line(char end);

  std::istream& in_;
  char separator_ = ',';
  uint64_t line_ = 0;
  uint64_t next_line_ = 1;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_REGISTRATION_CSV_READER_H_
