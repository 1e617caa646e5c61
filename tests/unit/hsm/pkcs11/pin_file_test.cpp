#include "hsm/pkcs11/pin_file.h"

#include <sys/stat.h>

#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

class PinFile : public ::testing::Test {
 protected:
  std::filesystem::path write(std::string_view text, mode_t mode = 0600) {
    const auto path = directory_.path() / "pin";
    std::ofstream(path, std::ios::binary) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  const std::filesystem::path& folder() const { return directory_.path(); }

 private:
  TempDir directory_;
};

void expect_refused(const std::filesystem::path& path) {
  const auto pin = read_pin_file(path);
  ASSERT_FALSE(pin.has_value());
  EXPECT_EQ(pin.error().code(), ErrorCode::HsmPinFile);
}

TEST_F(PinFile, LosesOneNewlineAtTheEnd) {
  const auto pin = read_pin_file(write("1234\n"));
  ASSERT_TRUE(pin.has_value()) << pin.error().to_string();
  EXPECT_EQ(as_text(pin->reveal()), "1234");
}

TEST_F(PinFile, MayBeReadByAGroup) { EXPECT_TRUE(read_pin_file(write("1234", 0640)).has_value()); }

TEST_F(PinFile, IsRefusedWhenEveryoneMayReadIt) { expect_refused(write("1234", 0644)); }

TEST_F(PinFile, IsRefusedWhenItIsALink) {
  std::filesystem::create_symlink(write("1234"), folder() / "link");
  expect_refused(folder() / "link");
}

TEST_F(PinFile, IsRefusedWhenEmpty) {
  expect_refused(write(""));
  expect_refused(write("\n"));
}

TEST_F(PinFile, IsRefusedWhenTooLong) {
  EXPECT_TRUE(read_pin_file(write(std::string(255, '1') + "\n")).has_value());
  expect_refused(write(std::string(256, '1')));
  expect_refused(write(std::string(5000, '1')));
}

TEST_F(PinFile, IsRefusedWhenMissingOrNoFile) {
  expect_refused(folder() / "absent");
  expect_refused(folder());
}

TEST_F(PinFile, NeverShowsAPinInItsError) {
  const auto pin = read_pin_file(write("271828", 0644));
  ASSERT_FALSE(pin.has_value());
  EXPECT_EQ(pin.error().to_string().find("271828"), std::string::npos);
}

}  // namespace
}  // namespace linesign
