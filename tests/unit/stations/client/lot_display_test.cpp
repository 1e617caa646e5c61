#include "stations/client/lot_display.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace linesign::client {
namespace {

TEST(LotProgressLine, CountsWhatIsThereAndWhatWasRefused) {
  const LotProgress lot{10000, 4000, 512, 3};
  EXPECT_EQ(progress_line(to_progress(lot), 3200, 10),
            "[####......] 4,515 of 10,000  45 %  3,200/s  2 s left  3 refused");
  EXPECT_EQ(to_progress(lot).skipped, 512U) << "it says nothing about the rate of the rest";
  EXPECT_EQ(progress_line(to_progress({0, 0, 0, 0}), 0, 0), "0 of 0  100 %  0.0/s  done");
}

TEST(LotReport, HoldsOneJsonObjectPerRefusal) {
  const TempDir temp;
  const auto display =
      LotDisplay::open(ProgressDisplay::Mode::Quiet, temp.path() / "report", stderr);
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
  EXPECT_EQ(
      LotDisplay::open(ProgressDisplay::Mode::Quiet, "/nonexistent/report", stderr).error().code(),
      ErrorCode::Io);
}

}  // namespace
}  // namespace linesign::client
