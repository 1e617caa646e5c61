#include "appliance/cloud/registration/report_file.h"

#include <fstream>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

class ReportFileTest : public testing::Test {
 protected:
  std::vector<std::string> lines_of(const std::string& text) {
    std::ofstream(file_, std::ios::binary) << text;
    std::vector<std::string> lines;
    const auto take = [&](const std::string& line, uint64_t number) -> Result<void> {
      EXPECT_EQ(number, lines.size() + 1);
      lines.push_back(line);
      return {};
    };
    EXPECT_TRUE(for_each_report_line(file_, take).has_value());
    return lines;
  }

  TempDir folder_;
  const std::filesystem::path file_ = folder_.path() / "report";
};

TEST_F(ReportFileTest, GivesLinesWithoutTheirEnds) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(lines_of(""), Lines());
  EXPECT_EQ(lines_of("a\nb"), (Lines{"a", "b"}));
  EXPECT_EQ(lines_of("a\r\n\nb\n"), (Lines{"a", "", "b"}));
  EXPECT_EQ(lines_of("\xef\xbb\xbf{}\n"), (Lines{"{}"})) << "a byte order mark";
  EXPECT_EQ(lines_of("\xef\xbb"), (Lines{"\xef\xbb"})) << "no mark";
}

TEST_F(ReportFileTest, CutsALineThatIsTooLongAndGoesOnWithTheNext) {
  const auto lines = lines_of(std::string(3 * kMaxReportLine, 'x') + "\nb\n");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].size(), kMaxReportLine + 1);
  EXPECT_EQ(lines[1], "b");
}

TEST_F(ReportFileTest, Utf16IsSaid) {
  using std::string_literals::operator""s;
  const auto take = [](const std::string&, uint64_t) { return Result<void>(); };
  for (const std::string& text : {"\xff\xfe{\0"s, "\xfe\xff\0{"s, "c\0e\0"s, "\0c\0e"s}) {
    std::ofstream(file_, std::ios::binary) << text;
    const auto refused = for_each_report_line(file_, take);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), ErrorCode::ReportMalformed);
    EXPECT_NE(refused.error().detail().find("UTF-16"), std::string::npos);
  }
}

TEST_F(ReportFileTest, AFileThatIsNotThereIsAnErrorAndNoEmptyReport) {
  const auto take = [](const std::string&, uint64_t) { return Result<void>(); };
  EXPECT_EQ(for_each_report_line(folder_.path() / "none", take).error().code(), ErrorCode::Io);
}

}  // namespace
}  // namespace linesign
