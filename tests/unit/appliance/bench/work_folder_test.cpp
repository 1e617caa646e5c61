#include "appliance/bench/work_folder.h"

#include <fstream>
#include <optional>

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace linesign::bench {
namespace {

namespace fs = std::filesystem;

TEST(WorkFolder, ATemporaryOneGoesWithAllThatIsInIt) {
  fs::path path;
  {
    const auto folder = WorkFolder::take({});
    ASSERT_TRUE(folder.has_value());
    path = folder->path();
    EXPECT_TRUE(path.is_absolute());
    fs::create_directories(path / "deep");
    std::ofstream(path / "deep" / "file") << "x";
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(WorkFolder, OneOfTheUsersIsMadeAndStays) {
  const TempDir base;
  const fs::path wanted = base.path() / "a" / "b";
  { ASSERT_TRUE(WorkFolder::take(wanted).has_value()); }
  EXPECT_TRUE(fs::is_directory(wanted));
  EXPECT_TRUE(WorkFolder::take(wanted).has_value());  // still empty
}

TEST(WorkFolder, OneThatHoldsSomethingIsRefused) {
  const TempDir base;
  std::ofstream(base.path() / "precious") << "x";
  const auto folder = WorkFolder::take(base.path());
  ASSERT_FALSE(folder.has_value());
  EXPECT_EQ(folder.error().code(), ErrorCode::FileExists);
  EXPECT_TRUE(fs::exists(base.path() / "precious"));
}

TEST(WorkFolder, AFileIsNoFolder) {
  const TempDir base;
  std::ofstream(base.path() / "file") << "x";
  EXPECT_FALSE(WorkFolder::take(base.path() / "file").has_value());
}

}  // namespace
}  // namespace linesign::bench
