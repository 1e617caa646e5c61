#include "appliance/cloud/uploader/state_lock.h"

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

TEST(StateLockTest, ASecondOneIsToldToComeLater) {
  const TempDir folder;
  const auto first = StateLock::take(folder.path() / "uploader");
  ASSERT_TRUE(first.has_value());
  const auto second = StateLock::take(folder.path() / "uploader");
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), ErrorCode::FolderInUse);
  EXPECT_EQ(second.error().exit_code(), 75);
}

TEST(StateLockTest, IsFreeWhenItsOwnerGoes) {
  const TempDir folder;
  { ASSERT_TRUE(StateLock::take(folder.path()).has_value()); }
  EXPECT_TRUE(StateLock::take(folder.path()).has_value());
}

}  // namespace
}  // namespace linesign
