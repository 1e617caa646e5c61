// What Durability::Synced promises, seen by the calls that would break it: each of them fails here
// in turn, and the failure must come out.
#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "protocol/base/file.h"
#include "tests/support/fault_plan.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

const Bytes kLine = {'a', 'b', 'c', '\n'};

class DurableFile : public ::testing::Test {
 protected:
  DurableFile() {
    plan("");
    ::setenv("LINESIGN_SYSTEM_FAULTS", plan_file().c_str(), 1);
  }
  ~DurableFile() override { plan(""); }

  static void plan(const std::string& words) {
    ASSERT_TRUE(linesign::testing::FaultPlan::write(plan_file().c_str(), words));
  }
  Result<void> write(Durability durability) const {
    return write_file_atomic(file(), kLine, 0600, Overwrite::Replace, durability);
  }
  std::filesystem::path file() const { return folder_.path() / "inside" / "file"; }

  void SetUp() override { ASSERT_TRUE(make_directories(file().parent_path(), 0700)); }

 private:
  // One for all tests: it is mapped once.
  static std::string plan_file() {
    static const TempDir folder;
    return folder.path() / "plan";
  }

  TempDir folder_;
};

TEST_F(DurableFile, SaysWhenItsContentDidNotReachTheDisk) {
  plan("fsync:1=EIO@inside");
  const auto written = write(Durability::Synced);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), ErrorCode::Io);
  EXPECT_FALSE(std::filesystem::exists(file())) << "a file that may be empty after a power cut";
}

TEST_F(DurableFile, SaysWhenItsNameDidNotReachTheDisk) {
  plan("fsync:2=EIO@inside");
  const auto written = write(Durability::Synced);
  ASSERT_FALSE(written) << "its folder was not synced";
  EXPECT_EQ(written.error().code(), ErrorCode::Io);
  EXPECT_NE(written.error().detail().find(file().parent_path().string() + ":"), std::string::npos)
      << written.error().to_string();
}

TEST_F(DurableFile, SyncsTheFolderOnceTheNameIsThere) {
  plan("fsync:2-3=EIO@inside rename=EIO@inside");
  const auto written = write(Durability::Synced);
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().detail().find(file().string() + ":"), std::string::npos)
      << "the folder was synced before the rename: " << written.error().to_string();
}

TEST_F(DurableFile, IsNotSyncedWhenNobodyAskedForIt) {
  plan("fsync=EIO@inside");
  EXPECT_TRUE(write(Durability::Renamed));
  EXPECT_TRUE(std::filesystem::exists(file()));
}

TEST_F(DurableFile, FailsWithoutAnyTraceOnAFullDisk) {
  plan("rename=ENOSPC@inside");
  ASSERT_FALSE(write(Durability::Synced));
  EXPECT_TRUE(std::filesystem::is_empty(file().parent_path()));
}

}  // namespace
}  // namespace linesign
