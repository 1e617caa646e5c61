#include "protocol/base/secret.h"

#include <algorithm>
#include <type_traits>

#include <gtest/gtest.h>

namespace linesign {
namespace {

static_assert(!std::is_copy_constructible_v<SecretBytes>);
static_assert(!std::is_copy_assignable_v<SecretBytes>);

TEST(Secret, WipeLeavesZeros) {
  Bytes memory = {1, 2, 3};
  wipe(memory);
  EXPECT_EQ(memory, Bytes(3, 0));
  wipe({});
}

TEST(Secret, MovesLeaveNothingBehind) {
  SecretBytes first(Bytes{1, 2, 3});
  SecretBytes second(std::move(first));
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): this is what is tested
  SecretBytes third;
  third = std::move(second);
  EXPECT_TRUE(second.empty());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(third.size(), 3U);
  EXPECT_TRUE(equal(third.reveal(), Bytes{1, 2, 3}));
}

}  // namespace
}  // namespace linesign
