#include "appliance/records/certificate_expiry.h"

#include <gmock/gmock.h>

#include "protocol/base/expiry.h"

namespace linesign {
namespace {

using std::chrono::days;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr UnixTime kEnd{seconds(1'800'000'000)};

TEST(Expiry, WarnsAtEachOfTheDays) {
  EXPECT_EQ(expiry_warning(kEnd, kEnd - days(180) - seconds(1)), std::nullopt);
  for (size_t i = 0; i < kExpiryWarningDays.size(); ++i) {
    const int64_t due = kExpiryWarningDays.at(i);
    EXPECT_EQ(expiry_warning(kEnd, kEnd - days(due)), due);
    if (i == 0) continue;
    EXPECT_EQ(expiry_warning(kEnd, kEnd - days(due) - seconds(1)), kExpiryWarningDays.at(i - 1));
  }
  EXPECT_EQ(expiry_warning(kEnd, kEnd - seconds(1)), 1);
  EXPECT_EQ(expiry_warning(kEnd, kEnd), 0);
}

TEST(Expiry, CountsWholeDays) {
  EXPECT_EQ(days_left(kEnd, kEnd - days(2) + seconds(1)), 1);
  EXPECT_EQ(days_left(kEnd, kEnd - seconds(1)), 0);
  EXPECT_EQ(days_left(kEnd, kEnd + seconds(1)), -1);
  EXPECT_EQ(expiry_text(kEnd, kEnd - days(1)), "is valid until 2027-01-15T08:00:00Z (1 day left)");
  EXPECT_EQ(expiry_text(kEnd, kEnd), "ended at 2027-01-15T08:00:00Z");
}

TEST(ExpiryWarnings, AreNoneWhereNothingEndsSoon) {
  ExpiryFigures figures;
  figures.certificates = {{"CA", kEnd, 181}};
  EXPECT_TRUE(expiry_warnings(figures, kEnd - days(181)).empty());
}

TEST(ExpiryWarnings, NameWhatEndsAndWhatToDo) {
  ExpiryFigures figures;
  figures.certificates = {{"CA", kEnd + days(500), 500}, {"station CA", kEnd, 7}};
  figures.stations_ending = 1;
  figures.next_station = CertificateEnd{"jig-1", kEnd, 7};
  const auto warnings = expiry_warnings(figures, kEnd - days(7));
  ASSERT_EQ(warnings.size(), 2U);
  EXPECT_EQ(warnings[0].about, "station CA");
  EXPECT_EQ(warnings[0].days, 7);
  EXPECT_THAT(warnings[0].sentence, HasSubstr("enrol anew"));
  EXPECT_THAT(warnings[1].sentence, HasSubstr("jig-1"));
}

TEST(CutAt, IsToldWhereTheCaLeavesATenthLess) {
  const UnixTime now = kEnd - days(100);
  EXPECT_EQ(cut_at(kEnd, days(111), now), std::nullopt);
  EXPECT_EQ(cut_at(kEnd, days(112), now), kEnd);
  EXPECT_EQ(cut_at(kEnd, std::nullopt, now), kEnd) << "no expiry, but the CA has one";
  EXPECT_EQ(cut_at(UnixTime(seconds(253402300799)), std::nullopt, now), std::nullopt);
}

}  // namespace
}  // namespace linesign
