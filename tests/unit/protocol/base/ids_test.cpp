#include "protocol/base/ids.h"

#include <gtest/gtest.h>

namespace linesign {
namespace {

using Check = Result<void> (*)(std::string_view);

struct IdKind {
  const char* name;
  Check check;
  ErrorCode error;
  bool takes_colon;
};

class Ids : public testing::TestWithParam<IdKind> {};

TEST_P(Ids, TakesOneToSixtyFourOfItsCharacters) {
  for (const auto& good : {std::string("a"), std::string("0"), std::string("SN-1.2_3")})
    EXPECT_TRUE(GetParam().check(good)) << good;
  EXPECT_TRUE(GetParam().check(std::string(64, 'a')));
  EXPECT_EQ(GetParam().check("a:b").has_value(), GetParam().takes_colon);
}

TEST_P(Ids, RefusesEverythingElseWithItsCode) {
  const std::string bad[] = {"",
                             std::string(65, 'a'),
                             ".a",
                             "-a",
                             "_a",
                             ":a",
                             "a b",
                             "a/b",
                             "..",
                             "a\n",
                             "a\r\n",
                             std::string("a\0b", 3),
                             "\xc3\xa4",
                             "a\xff"};
  for (const auto& id : bad) {
    const auto checked = GetParam().check(id);
    ASSERT_FALSE(checked) << id;
    EXPECT_EQ(checked.error().code(), GetParam().error);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All,
    Ids,
    testing::Values(IdKind{"Device", check_device_id, ErrorCode::DeviceIdInvalid, true},
                    IdKind{"Order", check_order_id, ErrorCode::FieldInvalid, false},
                    IdKind{"Station", check_station_name, ErrorCode::StationNameInvalid, false}),
    [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace linesign
