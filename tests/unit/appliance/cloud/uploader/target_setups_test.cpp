#include "appliance/cloud/uploader/target_setups.h"

#include <sys/stat.h>

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "appliance/cloud/uploader/x509_signers.h"
#include "hsm/x509/credential_file.h"
#include "protocol/base/bytes.h"
#include "tests/support/software_ca.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TargetSetupsTest : public testing::Test {
 protected:
  TargetSetupsTest() {
    write("ca.pem", ca_.pem());
    sources_.ca_certificate = folder_.path() / "ca.pem";
    sources_.aws.state_dir = folder_.path() / "uploader";
    TargetConfig target;
    target.name = "plant";
    target.account = "111122223333";
    target.region = "eu-west-1";
    sources_.aws.targets = {target};
  }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_.path() / name) << text;
  }
  TargetConfig& target() { return sources_.aws.targets.front(); }
  TargetSetup setup() { return std::move(make_setups(sources_, {}).value().front()); }

  TempDir folder_;
  test::SoftwareCa ca_;
  SetupSources sources_;
};

TEST_F(TargetSetupsTest, ATargetThatDoesNotExistIsAnError) {
  const auto made = make_setups(sources_, {"plant", "other"});
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code(), ErrorCode::CloudTargetUnknown);
  EXPECT_EQ(make_setups(sources_, {"plant"}).value().size(), 1U);
}

TEST_F(TargetSetupsTest, ADirectTargetCarriesWhatTheConfigurationSays) {
  target().policy = "device";
  target().is_active = false;
  target().send_ca_certificate = true;
  target().mode = CaMode::Default;
  const TargetSetup made = setup();
  EXPECT_EQ(made.way, WayKind::Direct);
  EXPECT_EQ(made.direct.policy, "device");
  EXPECT_EQ(made.direct.status, aws::CertificateStatus::Inactive);
  EXPECT_TRUE(made.direct.send_ca);
  EXPECT_EQ(made.ca.mode, aws::CertificateMode::Default);
  EXPECT_EQ(made.ca.auto_registration, std::nullopt) << "somebody may have enabled it by hand";
}

TEST_F(TargetSetupsTest, OnlyJustInTimeTurnsAutoRegistrationOn) {
  write("template.json", "{}");
  target().way = TargetWay::Jit;
  target().template_file = folder_.path() / "template.json";
  target().registration_role_arn = "arn:aws:iam::111122223333:role/jitp";
  TargetSetup made = setup();
  ASSERT_TRUE(made.read_files(made).has_value());
  EXPECT_EQ(made.ca.auto_registration, true);
  EXPECT_EQ(made.ca.config.template_body, "{}");
  EXPECT_EQ(made.ca.config.role_arn, target().registration_role_arn);
}

TEST_F(TargetSetupsTest, AutoRegistrationIsForTheTargetToSayThatUsesIt) {
  TargetConfig other = target();
  other.name = "first-connection";
  other.way = TargetWay::Jit;
  sources_.aws.targets.push_back(other);
  EXPECT_EQ(setup().ca.auto_registration, std::nullopt);
}

TEST_F(TargetSetupsTest, ATemplateThatCannotBeReadIsNamedUntilItCanBe) {
  target().way = TargetWay::Bulk;
  target().template_file = folder_.path() / "gone.json";
  TargetSetup made = setup();
  const auto read = made.read_files(made);
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code(), ErrorCode::AwsSettings);
  EXPECT_THAT(read.error().detail(), HasSubstr("gone.json"));
  write("gone.json", "{}");
  ASSERT_TRUE(made.read_files(made).has_value());
  EXPECT_EQ(made.bulk.template_body, "{}");
}

TEST_F(TargetSetupsTest, CredentialsAreThoseOfTheTarget) {
  target().credentials.profile = "factory";
  target().credentials.assume_role_arn = "arn:aws:iam::111122223333:role/linesign";
  target().credentials.external_id = "plant-7";
  target().rate_factor = 0.5;
  const auto options = setup().session_options();
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->overrides.profile, "factory");
  EXPECT_EQ(options->overrides.region, "eu-west-1");
  EXPECT_EQ(options->credentials.role->external_id, "plant-7");
  EXPECT_DOUBLE_EQ(options->share_of_quotas, 0.5);
}

aws::Environment small_environment() {
  std::map<std::string, std::string, std::less<>> variables;
  variables["PATH"] = "/usr/bin:/bin";
  return aws::Environment(std::move(variables));
}

// --- keys for Roles Anywhere ---------------------------------------------------------------------

TEST_F(TargetSetupsTest, AProgramSignsForAKeyInAToken) {
  write("holder.pem", ca_.pem());
  const auto signer = open_signing_program(
      folder_.path() / "holder.pem", {"/bin/sh", "-c", "echo 0102$0"}, small_environment());
  ASSERT_TRUE(signer.has_value());
  Sha256 digest{};
  digest.fill(0xab);
  const auto signature = (*signer)->sign(digest);
  ASSERT_TRUE(signature.has_value()) << signature.error().to_string();
  EXPECT_EQ(to_hex(*signature), "0102" + to_hex(digest));
}

TEST_F(TargetSetupsTest, AProgramThatFailsSaysWhy) {
  write("holder.pem", ca_.pem());
  const auto signer = open_signing_program(folder_.path() / "holder.pem",
                                           {"/bin/sh", "-c", "echo the token is gone >&2; exit 69"},
                                           small_environment());
  const auto signature = signer.value()->sign({});
  ASSERT_FALSE(signature.has_value());
  EXPECT_EQ(signature.error().code(), ErrorCode::AwsCredentialsFailed);
  EXPECT_THAT(signature.error().detail(), HasSubstr("the token is gone"));
}

TEST_F(TargetSetupsTest, AFileThatIsNoCertificateOrNoKeyIsRefused) {
  write("holder.pem", "no");
  EXPECT_FALSE(open_key_file(folder_.path() / "holder.pem", folder_.path() / "gone").has_value());
  write("holder.pem", ca_.pem());
  const auto open = open_key_file(folder_.path() / "holder.pem", folder_.path() / "holder.pem");
  ASSERT_FALSE(open.has_value());
  EXPECT_THAT(open.error().detail(), HasSubstr("every user of this machine may read it"));
  ::chmod((folder_.path() / "holder.pem").c_str(), 0600);
  const auto signer = open_key_file(folder_.path() / "holder.pem", folder_.path() / "holder.pem");
  ASSERT_FALSE(signer.has_value());
  EXPECT_THAT(signer.error().detail(), HasSubstr("no private key"));
}

TEST_F(TargetSetupsTest, AKeyOfAnotherCertificateIsToldBeforeItSigns) {
  write("holder.pem", ca_.pem());
  write("key.pem", test::private_key_pem(test::make_key(KeyType::EcP256).get()));
  ::chmod((folder_.path() / "key.pem").c_str(), 0600);
  const auto signer = open_key_file(folder_.path() / "holder.pem", folder_.path() / "key.pem");
  ASSERT_FALSE(signer.has_value());
  EXPECT_EQ(signer.error().code(), ErrorCode::AwsCredentialsFailed);
  EXPECT_THAT(signer.error().detail(),
              HasSubstr("key.pem: the key does not belong to the certificate"));
}

TEST(CredentialFileTest, AKeyOfAnotherCertificateDoesNotSign) {
  const EvpKey mine = test::make_key(KeyType::EcP256);
  const EvpKey other = test::make_key(KeyType::EcP256);
  const EvpKey rsa = test::make_key(KeyType::Rsa2048);
  EXPECT_TRUE(sign_sha256(mine.get(), mine.get(), {}).has_value());
  EXPECT_TRUE(sign_sha256(rsa.get(), rsa.get(), {}).has_value());
  const auto wrong = sign_sha256(mine.get(), other.get(), {});
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().code(), ErrorCode::InputInvalid);
}

}  // namespace
}  // namespace linesign
