#include "stations/client/lot_display.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace linesign::client {
namespace {

TEST(ProgressLine, ShowsCountRateAndTimeLeft) {
  const LotProgress progress{10000, 4000, 512, 0};
  EXPECT_EQ(progress_line(progress, 3200, 10),
            "[####......] 4,512 of 10,000  45 %  3,200/s  0:02 left");
}

TEST(ProgressLine, ShowsRefusalsAndHours) {
  const LotProgress progress{1000000, 10, 0, 3};
  EXPECT_EQ(progress_line(progress, 100, 0),
            "13 of 1,000,000  0 %  100/s  2:46:40 left  3 refused");
}

TEST(ProgressLine, DoesNotGuessWithoutARate) {
  EXPECT_EQ(progress_line({5, 0, 0, 0}, 0, 5), "[.....] 0 of 5  0 %  0/s  waiting");
  EXPECT_EQ(progress_line({0, 0, 0, 0}, 0, 0), "0 of 0  0 %  0/s  done");
}

TEST(GroupedNumbers, HaveCommas) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(1234567), "1,234,567");
}

TEST(LotReport, HoldsOneJsonObjectPerRefusal) {
  const TempDir temp;
  const auto display = LotDisplay::open(DisplayMode::Quiet, temp.path() / "report", stderr);
  ASSERT_TRUE(display.has_value());
  (*display)->on_refused(
      {LotEnd::Refused, "unit-1", "a \"b\".csr", Error(ErrorCode::CsrEmpty, "x")});
  ASSERT_TRUE((*display)->finish().has_value());
  std::ifstream report(temp.path() / "report");
  std::string line;
  std::getline(report, line);
  EXPECT_EQ(line,
            R"json({"device":"unit-1","source":"a \"b\".csr","code":200,"name":"CsrEmpty",)json"
            R"json("message":"CsrEmpty: The CSR is empty. (x)"})json");
}

TEST(LotReport, SaysWhenItCannotBeWritten) {
  EXPECT_EQ(LotDisplay::open(DisplayMode::Quiet, "/nonexistent/report", stderr).error().code(),
            ErrorCode::Io);
}

}  // namespace
}  // namespace linesign::client
