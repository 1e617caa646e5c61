#include "appliance/cloud/registration/report_file.h"

#include <string_view>

namespace linesign {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";  // as spreadsheets write it

// With a byte order mark, or by the zeros of ASCII in it.
bool is_utf16(std::string_view begin) {
  return begin.starts_with("\xff\xfe") || begin.starts_with("\xfe\xff") ||
         begin.find('\0') != std::string_view::npos;
}

}  // namespace

Result<std::ifstream> open_report(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string begin(kByteOrderMark.size(), '\0');
  in.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  if (in.bad() || (!in && !in.eof()))
    return fail(ErrorCode::Io, file.string() + ": cannot be read");
  begin.resize(static_cast<size_t>(in.gcount()));
  if (is_utf16(begin))
    return fail(ErrorCode::ReportMalformed,
                file.string() + ": the text is UTF-16; save it as UTF-8 (in Excel: \"CSV UTF-8\")");
  if (begin == kByteOrderMark) return in;
  in.clear();
  in.seekg(0);
  return in;
}

Result<void> for_each_report_line(
    const std::filesystem::path& file,
    const std::function<Result<void>(const std::string&, uint64_t)>& take) {
  LS_TRY(std::ifstream in, open_report(file));
  std::string line;
  uint64_t number = 1;
  for (char each = 0; in.get(each);) {
    if (each != '\n') {
      if (line.size() <= kMaxReportLine) line += each;
      continue;
    }
    if (line.ends_with('\r')) line.pop_back();
    LS_CHECK(take(line, number));
    line.clear();
    ++number;
  }
  if (in.bad()) return fail(ErrorCode::Io, file.string() + ": cannot be read");
  return line.empty() ? Result<void>() : take(line, number);
}

}  // namespace linesign
