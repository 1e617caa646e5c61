#include "hsm/x509/tbs_template.h"

#include <gtest/gtest.h>

namespace linesign {
namespace {

UnixTime at(int year, unsigned month, unsigned day, int seconds = 0) {
  const std::chrono::year_month_day date{
      std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
  return UnixTime(std::chrono::sys_days(date)) + std::chrono::seconds(seconds);
}

std::string encoded(UnixTime time) {
  Bytes out;
  append_time(out, time);
  return to_hex(ByteView(out).first(2)) + " " + std::string(as_text(ByteView(out).subspan(2)));
}

TEST(TbsTemplate, WritesUtcTimeUntil2049) {
  EXPECT_EQ(encoded(at(1950, 1, 1)), "170d 500101000000Z");
  EXPECT_EQ(encoded(at(2000, 2, 29)), "170d 000229000000Z");
  EXPECT_EQ(encoded(at(2026, 3, 4, 45296)), "170d 260304123456Z");
  EXPECT_EQ(encoded(at(2049, 12, 31, 86399)), "170d 491231235959Z");
}

TEST(TbsTemplate, WritesGeneralizedTimeFrom2050) {
  EXPECT_EQ(encoded(at(2050, 1, 1)), "180f 20500101000000Z");
  EXPECT_EQ(encoded(kNoExpiryTime), "180f 99991231235959Z");
  EXPECT_EQ(encoded(at(1949, 12, 31)), "180f 19491231000000Z");
}

TEST(TbsTemplate, KeyIdIsTheSha1OfThePublicKey) {
  EXPECT_EQ(to_hex(make_key_id(as_bytes("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

}  // namespace
}  // namespace linesign
