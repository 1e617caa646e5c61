#include "appliance/cloud/registration/report_file.h"

#include <charconv>
#include <fstream>
#include <string_view>

namespace linesign {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";  // as spreadsheets write it

void skip_mark(std::ifstream& in) {
  std::string begin(kByteOrderMark.size(), '\0');
  in.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  if (in && begin == kByteOrderMark) return;
  in.clear();
  in.seekg(0);
}

}  // namespace

Result<void> for_each_report_line(
    const std::filesystem::path& file,
    const std::function<Result<void>(const std::string&, uint64_t)>& take) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(ErrorCode::Io, file.string() + ": cannot be read");
  skip_mark(in);
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

std::optional<int64_t> manifest_line_of(const aws::JsonObject& report) {
  constexpr const char* kName = "lineNumber";
  if (const auto number = report.integer(kName)) return number;
  const auto text = report.text(kName);
  if (!text) return std::nullopt;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return number;
}

}  // namespace linesign
