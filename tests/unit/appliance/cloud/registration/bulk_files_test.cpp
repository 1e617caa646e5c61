#include "appliance/cloud/registration/bulk_files.h"

#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

class BulkFilesTest : public testing::Test {
 protected:
  void make(const std::set<std::string>& names) {
    for (const std::string& name : names) std::ofstream(folder_.path() / name) << "x";
  }
  std::set<std::string> there() const {
    std::set<std::string> names;
    for (const auto& each : std::filesystem::directory_iterator(folder_.path()))
      names.insert(each.path().filename().string());
    return names;
  }

  TempDir folder_;
  const BulkFiles files_{folder_.path(), "plant"};
};

TEST_F(BulkFilesTest, WhatTasksThatAreOverHaveLeftIsSwept) {
  const std::set<std::string> others = {"plant-7.ndjson",
                                        "plant-7-results",
                                        ".plant-7-errors.part",
                                        "plant-1-3.ndjson",
                                        "plant-x.ndjson",
                                        "plant-3.list",
                                        "plants-3.ndjson",
                                        "plant.ndjson",
                                        "progress.json"};
  make(others);
  make({"plant-3.ndjson", "plant-3-results", "plant-4-errors", ".plant-3.ndjson.part"});
  BulkTask open;
  open.id = 7;
  files_.sweep({open});
  EXPECT_EQ(there(), others);
}

TEST_F(BulkFilesTest, ATaskThatEndsLeavesNoFile) {
  make({"plant-3.ndjson", "plant-3-results", "plant-3-errors", "plant-4.ndjson"});
  files_.remove(3);
  EXPECT_EQ(there(), std::set<std::string>{"plant-4.ndjson"});
  files_.remove(5);
  BulkFiles(folder_.path() / "none", "plant").sweep({});
}

}  // namespace
}  // namespace linesign
