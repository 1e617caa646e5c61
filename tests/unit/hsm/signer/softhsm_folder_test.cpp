#include "hsm/signer/softhsm_folder.h"

#include <stdlib.h>

#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

namespace fs = std::filesystem;

class SofthsmFolder : public testing::Test {
 protected:
  SofthsmFolder() : token_(directory_.path() / "tokens" / "aa0c48cd-79a9-6c5c-127a-d8c75dbbb064") {
    fs::create_directories(token_);
    std::ofstream(token_ / "token.object") << "x";
    std::ofstream(directory_.path() / "conf")
        << "# comment\ndirectories.tokendir = " << (directory_.path() / "tokens").string() << "\n";
    ::setenv("SOFTHSM2_CONF", (directory_.path() / "conf").c_str(), 1);
  }
  ~SofthsmFolder() override {
    fs::permissions(token_, fs::perms::owner_write, fs::perm_options::add);
    ::unsetenv("SOFTHSM2_CONF");
  }

  TempDir directory_;
  fs::path token_;
};

TEST_F(SofthsmFolder, IsFoundByTheSerialNumber) {
  EXPECT_EQ(find_softhsm_folder("127ad8c75dbbb064"), token_);
  EXPECT_FALSE(find_softhsm_folder("0000000000000000").has_value());
  EXPECT_FALSE(find_softhsm_folder("").has_value());
}

TEST_F(SofthsmFolder, IsWritableWhileAFolderOrAFileIs) {
  EXPECT_TRUE(is_writable_by_mode(token_));
  fs::permissions(token_, fs::perms::owner_write, fs::perm_options::remove);
  EXPECT_TRUE(is_writable_by_mode(token_)) << "its file still is";
  fs::permissions(token_ / "token.object", fs::perms::owner_write, fs::perm_options::remove);
  EXPECT_FALSE(is_writable_by_mode(token_));
}

}  // namespace
}  // namespace linesign
