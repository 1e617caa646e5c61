#include "appliance/cloud/targets/login_files.h"

#include <sys/stat.h>

#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/software_ca.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

using testing::HasSubstr;

class LoginFilesTest : public testing::Test {
 protected:
  LoginFilesTest() { write("key.pem", test::private_key_pem(ca_.key()), 0600); }

  void write(const std::string& name, const std::string& text, mode_t mode = 0644) const {
    const auto path = folder_.path() / name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
  }
  // Of a target whose key is this one; it stands in line 12, the certificate in line 11.
  Result<void> check(const std::string& key) const {
    const std::string text = fmt::format(
        "[[aws.target]]\n"
        "name = \"plant\"\n"
        "account = \"123456789012\"\n"
        "region = \"eu-west-1\"\n"
        "way = \"direct\"\n"
        "\n"
        "[aws.target.roles_anywhere]\n"
        "trust_anchor_arn = \"arn:aws:rolesanywhere:eu-west-1:123456789012:trust-anchor/t\"\n"
        "profile_arn = \"arn:aws:rolesanywhere:eu-west-1:123456789012:profile/p\"\n"
        "role_arn = \"arn:aws:iam::123456789012:role/linesign\"\n"
        "certificate = \"holder.pem\"\n"
        "key = \"{}\"\n",
        key);
    LS_TRY(const SettingsFile settings,
           SettingsFile::parse(text, folder_.path() / "linesign.toml"));
    LS_TRY(const AwsConfig config, read_aws_config(settings.root()));
    return check_login_files(settings.root(), config);
  }
  std::string fault(const std::string& key) const {
    const auto checked = check(key);
    return checked.has_value() ? "" : checked.error().to_string();
  }

  TempDir folder_;
  const test::SoftwareCa ca_;
};

TEST_F(LoginFilesTest, APairThatBelongsTogetherIsFine) {
  write("holder.pem", ca_.pem());
  EXPECT_EQ(fault("key.pem"), "");
  EXPECT_EQ(fault("pkcs11:token=uploader;object=aws"), "") << "the token is not asked";
}

TEST_F(LoginFilesTest, WhatCannotBeReadIsNamedWithItsLine) {
  EXPECT_THAT(fault("key.pem"),
              HasSubstr("linesign.toml:11: aws.target.roles_anywhere.certificate"));
  write("holder.pem", "no");
  EXPECT_THAT(fault("pkcs11:token=u;object=aws"), HasSubstr("no certificate in PEM"));
  write("holder.pem", ca_.pem());
  EXPECT_THAT(fault("gone.pem"), HasSubstr("linesign.toml:12: aws.target.roles_anywhere.key"));
  write("damaged.pem", "no", 0600);
  EXPECT_THAT(fault("damaged.pem"), HasSubstr("no private key in PEM"));
}

TEST_F(LoginFilesTest, AKeyThatEverybodyMayReadIsRefused) {
  write("holder.pem", ca_.pem());
  for (const mode_t mode : {0644, 0604, 0444}) {
    write("key.pem", test::private_key_pem(ca_.key()), 0600);
    ::chmod((folder_.path() / "key.pem").c_str(), mode);
    EXPECT_THAT(fault("key.pem"),
                HasSubstr("every user of this machine may read it; chmod 600 and replace the key"));
  }
  ::chmod((folder_.path() / "key.pem").c_str(), 0640);
  EXPECT_EQ(fault("key.pem"), "") << "as a PIN file may be of a group";
}

TEST_F(LoginFilesTest, AKeyOfAnotherCertificateIsTold) {
  write("holder.pem", ca_.pem());
  for (const KeyType type : {KeyType::EcP256, KeyType::Rsa2048}) {
    write("key.pem", test::private_key_pem(test::make_key(type).get()), 0600);
    const auto checked = check("key.pem");
    ASSERT_FALSE(checked.has_value());
    EXPECT_EQ(checked.error().code(), ErrorCode::ConfigConflict);
    EXPECT_THAT(checked.error().detail(),
                HasSubstr(":12: aws.target.roles_anywhere.key: the key does not belong to the "
                          "certificate"));
  }
}

}  // namespace
}  // namespace linesign
