#include "stations/client/file_names.h"

#include <gtest/gtest.h>

namespace linesign::client {
namespace {

TEST(FileNames, AreTheDeviceIdsWhereTheFileSystemTakesThem) {
  FileNames names({});
  EXPECT_EQ(names.stem_of("urn:dev:1.A"), "urn:dev:1.A");
  EXPECT_EQ(names.stem_of("URN:DEV:1.a"), "URN:DEV:1.a");
  EXPECT_FALSE(names.example().has_value());
}

TEST(FileNames, CanBeReadBack) {
  FileNames names({.refuses_colon = true, .ignores_case = true});
  for (const std::string id : {"a:b", "A:B", "A:b", "unit-1", "UNIT-1", "x.y_z-0"})
    EXPECT_EQ(decode_file_name(names.stem_of(id)), id);
}

TEST(FileNames, DifferForDevicesThatDiffer) {
  FileNames names({.refuses_colon = false, .ignores_case = true});
  EXPECT_EQ(names.stem_of("Ab"), "Ab");
  EXPECT_EQ(names.stem_of("aB"), "%61%42");
  EXPECT_EQ(names.stem_of("ab"), "%61%62");
  EXPECT_EQ(names.stem_of("AB"), "%41%42");
}

TEST(FileNames, LeaveAPercentSignWithoutDigitsAlone) {
  for (const char* stem : {"%", "%4", "%zz", "a%", "100%-cotton"})
    EXPECT_EQ(decode_file_name(stem), stem);
  EXPECT_EQ(decode_file_name("%41%3a%3A"), "A::");
}

}  // namespace
}  // namespace linesign::client
