#include "appliance/cloud/registration/csv_reader.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "appliance/cloud/registration/report_file.h"

namespace linesign {
namespace {

using testing::ElementsAre;
using Rows = std::vector<CsvReader::Row>;

// The header and all rows; the last one holds what is wrong.
Rows rows_of(const std::string& text) {
  std::istringstream in(text);
  CsvReader reader(in);
  Rows rows;
  auto header = reader.header();
  if (!header.has_value()) return {{header.error().detail()}};
  rows.push_back(std::move(*header));
  for (;;) {
    auto row = reader.next();
    if (!row.has_value()) rows.push_back({row.error().detail()});
    if (!row.has_value() || !row->has_value()) return rows;
    rows.push_back(std::move(**row));
  }
}

TEST(CsvReader, TakesTheSeparatorsAndLineEndsOfSpreadsheets) {
  const Rows table = {{"a", "b"}, {"1", "2,5"}};
  for (const char* text : {"a;b\r\n1;2,5\r\n",
                           "a\tb\n1\t2,5",
                           "a,b\r1,\"2,5\"\r",
                           "sep=;\r\na;b\r\n1;2,5\r\n",
                           "\r\n;;\r\na;b\r\n\r\n;\r\n 1 ;\"2,5\" \r\n;;;\r\n"})
    EXPECT_EQ(rows_of(text), table) << text;
}

TEST(CsvReader, AQuotedCellHoldsSeparatorsQuotesAndLineBreaks) {
  EXPECT_EQ(rows_of("a,\"b\r\nc\"\n\"x, \"\"y\"\"\r\nz\",2\n"),
            (Rows{{"a", "b\r\nc"}, {"x, \"y\"\r\nz", "2"}}));
  EXPECT_EQ(rows_of("\"a,b,c\";d\n1;2\n"), (Rows{{"a,b,c", "d"}, {"1", "2"}}));
}

TEST(CsvReader, SaysInWhichLineARowBegan) {
  std::istringstream in("\na,b\n\"1\n2\",3\n\n4,5\n");
  CsvReader reader(in);
  ASSERT_TRUE(reader.header().has_value());
  EXPECT_EQ(reader.line(), 2U);
  ASSERT_TRUE(reader.next().has_value());
  EXPECT_EQ(reader.line(), 3U);
  EXPECT_THAT(reader.next().value().value(), ElementsAre("4", "5"));
  EXPECT_EQ(reader.line(), 6U);
  EXPECT_FALSE(reader.next().value().has_value());
}

TEST(CsvReader, RefusesWhatIsNoTable) {
  EXPECT_EQ(rows_of("a\nb\"c\"\n").back().front(), "a quote stands inside a cell");
  EXPECT_EQ(rows_of("a\n\"b\nc\n").back().front(), "a quoted cell does not end, or is too long");
  EXPECT_EQ(rows_of(std::string(kMaxReportLine + 1, 'x')).back().front(), "the row is too long");
  EXPECT_EQ(rows_of("a\n" + std::string(kMaxReportLine + 1, 'x')).back().front(),
            "the row is too long");
  EXPECT_EQ(rows_of("a\n\"" + std::string(kMaxReportLine + 1, 'x')).back().front(),
            "a quoted cell does not end, or is too long");
}

}  // namespace
}  // namespace linesign
