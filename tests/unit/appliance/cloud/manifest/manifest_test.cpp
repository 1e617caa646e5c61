#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "appliance/cloud/manifest/manifest_file.h"
#include "appliance/cloud/manifest/manifest_line.h"
#include "hsm/x509/csr.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/appliance/cloud/manifest/manifest_fixture.h"

namespace linesign {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

DeviceFields fields() { return {"SN-1", "lot-7", "40ff", "abcd", "PEM\n"}; }

TEST(DeviceFieldsTest, FillsInEveryName) {
  EXPECT_EQ(fill_in("{order}/{device_id}-{serial}", fields()).value(), "lot-7/SN-1-40ff");
  EXPECT_EQ(fill_in("plain", fields()).value(), "plain");
}

TEST(DeviceFieldsTest, RefusesANameThatDoesNotExist) {
  const auto filled = fill_in("x{device}", fields());
  ASSERT_FALSE(filled.has_value());
  EXPECT_EQ(filled.error().code(), ErrorCode::ConfigRange);
}

TEST(DeviceFieldsTest, TheCertificateIdIsTheHashOfTheDerForm) {
  CloudItem item;
  item.certificate_der = {0x30, 0x00};
  EXPECT_EQ(fields_of(item).certificate_id, to_hex(sha256(item.certificate_der)));
}

TEST(ManifestLineTest, IsOneObjectOfTextsInByteOrder) {
  EXPECT_EQ(ndjson_line({{"b", "2\n"}, {"a", "\"\\\x01"}}).value(),
            "{\"a\":\"\\\"\\\\\\u0001\",\"b\":\"2\\n\"}\n");
}

TEST(ManifestLineTest, RefusesAValueThatAwsDoesNotTake) {
  EXPECT_TRUE(ndjson_line({{"a", std::string(4096, 'x')}}).has_value());
  EXPECT_FALSE(ndjson_line({{"a", std::string(4097, 'x')}}).has_value());
}

TEST(ManifestFileTest, HasItsNameOnlyWhenItIsComplete) {
  const TempDir folder;
  const auto path = folder.path() / "lines.ndjson";
  {
    ManifestFile file(path);
    ASSERT_TRUE(file.add("{}\n").has_value());
    EXPECT_FALSE(std::filesystem::exists(path));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  ManifestFile file(path);
  ASSERT_TRUE(file.add_header("header\n").has_value());
  ASSERT_TRUE(file.add("{}\n").has_value());
  const auto written = file.finish();
  ASSERT_TRUE(written.has_value());
  EXPECT_EQ(written->lines, 1U);
  EXPECT_EQ(read_text(path), "header\n{}\n");
  EXPECT_EQ(written->sha256, sha256(as_bytes("header\n{}\n")));
}

TEST(ManifestFileTest, ManyLinesArriveInOrder) {
  const TempDir folder;
  ManifestFile file(folder.path() / "lines");
  std::string expected;
  for (int i = 0; i < 100'000; ++i) {
    const std::string line = std::to_string(i) + "\n";
    expected += line;
    ASSERT_TRUE(file.add(line).has_value());
  }
  ASSERT_TRUE(file.finish().has_value());
  EXPECT_EQ(read_text(folder.path() / "lines"), expected);
}

TEST(ManifestFileTest, AFullDiskLeavesNothingBehind) {
  ManifestFile file("/dev/full/lines");
  const auto begun = file.add("{}\n");
  ASSERT_TRUE(begun.has_value());
  EXPECT_FALSE(file.finish().has_value());
}

}  // namespace
}  // namespace linesign
