#include "appliance/cloud/aws/times.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace linesign::aws {
namespace {

// Takes a text apart from the left; once something does not fit, nothing fits any more.
class Scanner final {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  int digits(size_t count) {
    const std::string_view part = take(count);
    unsigned short value = 0;  // unsigned: no '-' fits
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (error != std::errc{} || end != part.data() + part.size()) fits_ = false;
    return value;
  }
  std::string_view take(size_t count) {
    if (rest_.size() < count) {
      fits_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view part = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return part;
  }
  void expect(std::string_view text) { fits_ = (take(text.size()) == text) && fits_; }
  bool next_is(char c) const { return !rest_.empty() && rest_.front() == c; }
  void skip_digits() {
    while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') rest_.remove_prefix(1);
  }
  bool is_done() const { return fits_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool fits_ = true;
};

struct Parts {
  int year = 0;
  int month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

std::optional<UnixTime> to_time(const Parts& parts) {
  const std::chrono::year_month_day date{std::chrono::year(parts.year),
                                         std::chrono::month(static_cast<unsigned>(parts.month)),
                                         std::chrono::day(static_cast<unsigned>(parts.day))};
  if (!date.ok() || parts.hour > 23 || parts.minute > 59 || parts.second > 60) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(parts.hour) +
         std::chrono::minutes(parts.minute) + std::chrono::seconds(parts.second);
}

void read_clock(Scanner& scanner, Parts& parts) {
  parts.hour = scanner.digits(2);
  scanner.expect(":");
  parts.minute = scanner.digits(2);
  scanner.expect(":");
  parts.second = scanner.digits(2);
}

std::chrono::minutes read_offset(Scanner& scanner) {
  if (scanner.next_is('Z')) {
    scanner.expect("Z");
    return std::chrono::minutes(0);
  }
  const bool is_behind = scanner.next_is('-');
  scanner.expect(is_behind ? "-" : "+");
  const int hours = scanner.digits(2);
  if (scanner.next_is(':')) scanner.expect(":");
  const std::chrono::minutes offset(hours * 60 + scanner.digits(2));
  return is_behind ? -offset : offset;
}

}  // namespace

std::string to_amz_date(UnixTime time) {
  std::string basic;
  for (const char c : to_iso8601(time)) {
    if (c != '-' && c != ':') basic += c;
  }
  return basic;
}

std::optional<UnixTime> parse_http_date(std::string_view text) {
  constexpr std::array<std::string_view, 12> kMonths = {
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  Scanner scanner(text);
  Parts parts;
  scanner.take(3);  // the day of the week follows from the date
  scanner.expect(", ");
  parts.day = scanner.digits(2);
  scanner.expect(" ");
  const auto* const month = std::find(kMonths.begin(), kMonths.end(), scanner.take(3));
  parts.month = static_cast<int>(month - kMonths.begin()) + 1;
  scanner.expect(" ");
  parts.year = scanner.digits(4);
  scanner.expect(" ");
  read_clock(scanner, parts);
  scanner.expect(" GMT");
  return scanner.is_done() ? to_time(parts) : std::nullopt;
}

std::optional<UnixTime> parse_iso8601(std::string_view text) {
  Scanner scanner(text);
  Parts parts;
  parts.year = scanner.digits(4);
  scanner.expect("-");
  parts.month = scanner.digits(2);
  scanner.expect("-");
  parts.day = scanner.digits(2);
  scanner.expect("T");
  read_clock(scanner, parts);
  if (scanner.next_is('.')) {
    scanner.expect(".");
    scanner.skip_digits();
  }
  const std::chrono::minutes offset = read_offset(scanner);
  const auto time = scanner.is_done() ? to_time(parts) : std::nullopt;
  if (!time) return std::nullopt;
  return *time - offset;
}

}  // namespace linesign::aws
