#include "protocol/settings/units.h"

#include <limits>

#include <gtest/gtest.h>

namespace linesign {
namespace {

using namespace std::chrono_literals;

TEST(Units, ReadsEveryUnitOfTime) {
  EXPECT_EQ(parse_duration("500ms"), 500ms);
  EXPECT_EQ(parse_duration("10s"), 10s);
  EXPECT_EQ(parse_duration("5m"), 5min);
  EXPECT_EQ(parse_duration("2h"), 2h);
  EXPECT_EQ(parse_duration("30d"), 30 * 24h);
  EXPECT_EQ(parse_duration("20y"), 20 * 365 * 24h);
  EXPECT_EQ(parse_duration("0s"), 0s);
}

TEST(Units, ReadsEveryUnitOfSize) {
  EXPECT_EQ(parse_size("0B"), 0U);
  EXPECT_EQ(parse_size("7B"), 7U);
  EXPECT_EQ(parse_size("64KiB"), 64U * 1024);
  EXPECT_EQ(parse_size("256MiB"), 256U * 1024 * 1024);
  EXPECT_EQ(parse_size("2GiB"), 2ULL << 30);
  EXPECT_EQ(parse_size("3TiB"), 3ULL << 40);
}

TEST(Units, RefusesWhatIsNotANumberWithAUnit) {
  for (const char* text :
       {"", "10", "s", "10 s", " 10s", "10s ", "1.5s", "-1s", "+1s", "10S", "10sec", "0x10s"})
    EXPECT_FALSE(parse_duration(text).has_value()) << text;
  for (const char* text : {"", "10", "KiB", "10 KiB", "10KB", "10kib", "1.5GiB", "-1B"})
    EXPECT_FALSE(parse_size(text).has_value()) << text;
}

TEST(Units, RefusesValuesThatDoNotFit) {
  EXPECT_FALSE(parse_duration("99999999999999999999ms").has_value());
  EXPECT_FALSE(parse_duration("9223372036854775807y").has_value());
  EXPECT_TRUE(parse_duration("9223372036854775807ms").has_value());
  EXPECT_FALSE(parse_duration("9223372036854775808ms").has_value());
  EXPECT_EQ(parse_size("18446744073709551615B"), std::numeric_limits<uint64_t>::max());
  EXPECT_FALSE(parse_size("18446744073709551615KiB").has_value());
}

TEST(Units, FormatsInTheLargestWholeUnit) {
  EXPECT_EQ(format_duration(0ms), "0ms");
  EXPECT_EQ(format_duration(1500ms), "1500ms");
  EXPECT_EQ(format_duration(90s), "90s");
  EXPECT_EQ(format_duration(24h), "1d");
  EXPECT_EQ(format_duration(730 * 24h), "2y");
  EXPECT_EQ(format_duration(-5s), "-5s");
  EXPECT_EQ(format_size(0), "0B");
  EXPECT_EQ(format_size(1536), "1536B");
  EXPECT_EQ(format_size(256ULL << 20), "256MiB");
}

TEST(Units, ReadsBackWhatItFormats) {
  for (const auto value : {1ms, 999ms, 1000ms, 61000ms, 3600000ms, 86400000ms})
    EXPECT_EQ(parse_duration(format_duration(value)), value);
  for (const uint64_t value : {1ULL, 1023ULL, 1024ULL, 1ULL << 40, (1ULL << 40) + 1})
    EXPECT_EQ(parse_size(format_size(value)), value);
}

}  // namespace
}  // namespace linesign
