#include "appliance/cloud/registration/csv_reader.h"

#include <algorithm>
#include <sstream>
#include <string_view>

#include "appliance/cloud/registration/report_file.h"

namespace linesign {
namespace {

constexpr std::string_view kSeparators = ",;\t";
constexpr std::string_view kNamesSeparator = "sep=";

void trim(std::string& cell) {
  constexpr std::string_view kWhite = " \t\r\n";
  cell.erase(std::min(cell.find_last_not_of(kWhite) + 1, cell.size()));
  cell.erase(0, std::min(cell.find_first_not_of(kWhite), cell.size()));
}

bool is_blank(const CsvReader::Row& row) {
  return std::all_of(row.begin(), row.end(), [](const std::string& cell) { return cell.empty(); });
}

bool is_separator(char c) { return kSeparators.find(c) != std::string_view::npos; }

// The one that is there most often, outside of quotes.
char separator_of(std::string_view line) {
  char best = kSeparators.front();
  ptrdiff_t most = 0;
  for (const char separator : kSeparators) {
    bool is_quoted = false;
    const ptrdiff_t count = std::count_if(line.begin(), line.end(), [&](char c) {
      if (c == '"') is_quoted = !is_quoted;
      return c == separator && !is_quoted;
    });
    if (count > most) best = separator;
    most = std::max(most, count);
  }
  return best;
}

tl::unexpected<Error> too_long() { return fail(ErrorCode::InputInvalid, "the row is too long"); }

}  // namespace

void CsvReader::end_line(char end) {
  if (end == '\r' && in_.peek() == '\n') in_.get();
  ++next_line_;
}

// A row as it stands there: a quoted name may hold line breaks too.
Result<std::string> CsvReader::read_raw() {
  line_ = next_line_;
  std::string row;
  bool is_quoted = false;
  for (char each = 0; in_.get(each);) {
    if (each == '"') is_quoted = !is_quoted;
    const bool is_line_end = each == '\n' || each == '\r';
    if (is_line_end && !is_quoted) {
      end_line(each);
      return row;
    }
    if (each == '\n') ++next_line_;
    if (row.size() >= kMaxReportLine) return too_long();
    row += each;
  }
  return row;
}

Result<CsvReader::Row> CsvReader::header() {
  for (;;) {
    LS_TRY(const std::string line, read_raw());
    const bool names_separator = line.size() == kNamesSeparator.size() + 1 &&
                                 line.starts_with(kNamesSeparator) && is_separator(line.back());
    separator_ = names_separator ? line.back() : separator_of(line);
    std::istringstream text(line);
    CsvReader cells(text);
    Row row;
    LS_CHECK(cells.read_row(row, separator_));
    if (!names_separator && (!is_blank(row) || !in_)) return row;
  }
}

Result<std::optional<CsvReader::Row>> CsvReader::next() {
  Row row;
  for (;;) {
    LS_TRY(const bool is_there, read_row(row, separator_));
    if (!is_there) return std::optional<Row>();
    if (!is_blank(row)) return std::optional(std::move(row));
  }
}

Result<void> CsvReader::read_quoted(std::string& cell, size_t& bytes) {
  trim(cell);
  if (!cell.empty()) return fail(ErrorCode::InputInvalid, "a quote stands inside a cell");
  for (char each = 0; in_.get(each) && ++bytes <= kMaxReportLine;) {
    if (each == '\n' || (each == '\r' && in_.peek() != '\n')) ++next_line_;
    if (each == '"' && in_.peek() != '"') return {};
    if (each == '"') in_.get();
    cell += each;
  }
  return fail(ErrorCode::InputInvalid, "a quoted cell does not end, or is too long");
}

Result<bool> CsvReader::read_row(Row& row, char separator) {
  line_ = next_line_;
  row.assign(1, std::string());
  size_t bytes = 0;
  for (char each = 0; in_.get(each);) {
    if (++bytes > kMaxReportLine) return too_long();
    const auto quoted = each == '"' ? read_quoted(row.back(), bytes) : Result<void>();
    if (!quoted.has_value()) return fail(quoted.error());
    if (each == '"') continue;
    const bool is_line_end = each == '\n' || each == '\r';
    if (each != separator && !is_line_end) {
      row.back() += each;
      continue;
    }
    trim(row.back());
    if (!is_line_end) {
      row.emplace_back();
      continue;
    }
    end_line(each);
    return true;
  }
  trim(row.back());
  return bytes > 0;
}

}  // namespace linesign
