#include "hsm/x509/profile.h"

#include <gtest/gtest.h>

#include "hsm/x509/certificate_builder.h"
#include "tests/support/software_ca.h"

namespace linesign {
namespace {

Result<Profile> read(const std::string& text) {
  LS_TRY(const SettingsFile file, SettingsFile::parse(text, "linesign.toml"));
  LS_TRY(const SettingsTable table, file.root().table("profile"));
  LS_TRY(Profile profile, read_profile(table));
  LS_CHECK(file.check_all_known());
  return profile;
}

TEST(ReadProfile, TakesThePresetWhenNothingIsSaid) {
  const auto profile = read("");
  ASSERT_TRUE(profile) << profile.error().to_string();
  EXPECT_EQ(canonical_text(*profile), canonical_text(Profile{}));
  EXPECT_EQ(profile->preset, "aws-iot-device");
}

TEST(ReadProfile, ReadsEveryKey) {
  const auto profile = read(R"(
[profile]
preset = "aws-iot-device"
subject = "device-id"
subject_fields = ["C=DE", "O=Example = Co", "OU=Line 7"]
validity = "10y"
backdate = "1h"
key_usage = ["digitalSignature", "keyAgreement"]
key_usage_critical = false
extended_key_usage = ["clientAuth", "1.3.6.1.4.1.311.10.3.4"]
subject_alt_names = ["dns:{device_id}.example", "uri:urn:dev:{device_id}"]
policies = ["1.3.6.1.4.1.55555.1"]
allowed_keys = ["P-256", "RSA-3072"]
)");
  ASSERT_TRUE(profile) << profile.error().to_string();
  EXPECT_EQ(canonical_text(*profile),
            "linesign profile 1\n"
            "preset=aws-iot-device\n"
            "subject=device-id\n"
            "subject_field=C=DE\n"
            "subject_field=O=Example = Co\n"
            "subject_field=OU=Line 7\n"
            "backdate_s=3600\n"
            "validity_s=315360000\n"
            "key_usage_critical=false\n"
            "key_usage=digitalSignature\n"
            "key_usage=keyAgreement\n"
            "extended_key_usage=clientAuth\n"
            "extended_key_usage=1.3.6.1.4.1.311.10.3.4\n"
            "subject_alt_name=dns:{device_id}.example\n"
            "subject_alt_name=uri:urn:dev:{device_id}\n"
            "policy=1.3.6.1.4.1.55555.1\n"
            "allowed_key=P-256\n"
            "allowed_key=RSA-3072\n");
}

TEST(ReadProfile, KnowsNoExpiry) {
  const auto profile = read("[profile]\nvalidity = \"no-expiry\"\n");
  ASSERT_TRUE(profile) << profile.error().to_string();
  EXPECT_TRUE(profile->no_expiry);
  EXPECT_NE(canonical_text(*profile).find("validity_s=no-expiry\n"), std::string::npos);
}

TEST(ReadProfile, KeepsTheSubjectOfTheCsr) {
  const auto profile = read("[profile]\nsubject = \"csr\"\n");
  ASSERT_TRUE(profile);
  EXPECT_EQ(profile->subject_source, SubjectSource::Csr);
}

TEST(ReadProfile, IgnoresTheCommonNameWhenToldTo) {
  const auto profile = read("[profile]\ncsr_common_name = \"ignore\"\n");
  ASSERT_TRUE(profile);
  EXPECT_EQ(profile->csr_common_name, CommonNameRule::Ignore);
  EXPECT_NE(canonical_text(*profile).find("subject=device-id\ncsr_common_name=ignore\n"),
            std::string::npos);
}

// Its hash is in ledgers: what profiles said before the key existed must not change.
TEST(ReadProfile, SaysNothingOfTheCommonNameThatMustMatch) {
  const auto profile = read("[profile]\ncsr_common_name = \"must-match\"\n");
  ASSERT_TRUE(profile);
  EXPECT_EQ(canonical_text(*profile), canonical_text(Profile{}));
  EXPECT_EQ(canonical_text(*profile).find("common_name"), std::string::npos);
}

struct BadProfile {
  const char* name;
  const char* line;
  ErrorCode code;
};

class BadProfiles : public testing::TestWithParam<BadProfile> {};

TEST_P(BadProfiles, AreRefusedWithFileAndLine) {
  const auto profile = read(std::string("[profile]\n") + GetParam().line + "\n");
  ASSERT_FALSE(profile);
  EXPECT_EQ(profile.error().code(), GetParam().code) << profile.error().to_string();
  EXPECT_NE(profile.error().detail().find("linesign.toml:2"), std::string::npos)
      << profile.error().detail();
}

constexpr ErrorCode kRange = ErrorCode::ConfigRange;
constexpr ErrorCode kType = ErrorCode::ConfigType;

INSTANTIATE_TEST_SUITE_P(
    Cases,
    BadProfiles,
    testing::Values(
        BadProfile{"UnknownKey", "validty = \"1y\"", ErrorCode::ConfigUnknownKey},
        BadProfile{"UnknownPreset", "preset = \"azure\"", kRange},
        BadProfile{"UnknownCommonNameRule", "csr_common_name = \"any\"", kRange},
        BadProfile{"KeyCertSign", "key_usage = [\"keyCertSign\"]", kRange},
        BadProfile{"CrlSign", "key_usage = [\"digitalSignature\", \"cRLSign\"]", kRange},
        BadProfile{"NoKeyUsage", "key_usage = []", kRange},
        BadProfile{"KeyUsageTwice", "key_usage = [\"keyAgreement\", \"keyAgreement\"]", kRange},
        BadProfile{
            "EncipherOnlyAlone", "key_usage = [\"encipherOnly\"]", ErrorCode::ConfigConflict},
        BadProfile{"OcspSigning", "extended_key_usage = [\"OCSPSigning\"]", kRange},
        BadProfile{"OcspSigningByOid", "extended_key_usage = [\"1.3.6.1.5.5.7.3.9\"]", kRange},
        BadProfile{"UnknownUsage", "extended_key_usage = [\"clientauth\"]", kRange},
        BadProfile{"SameUsageByNameAndOid",
                   "extended_key_usage = [\"clientAuth\", \"1.3.6.1.5.5.7.3.2\"]",
                   kRange},
        BadProfile{"ValidityWithoutUnit", "validity = \"20\"", kType},
        BadProfile{"ValidityAsNumber", "validity = 20", kType},
        BadProfile{"ValidityInMinutes", "validity = \"20m\"", kRange},
        BadProfile{"ValidityTooShort", "validity = \"86399s\"", kRange},
        BadProfile{"ValidityTooLong", "validity = \"201y\"", kRange},
        BadProfile{"PartsOfASecond", "backdate = \"1500ms\"", kRange},
        BadProfile{"BackdateTooLong", "backdate = \"31d\"", kRange},
        BadProfile{"FieldWithoutEquals", "subject_fields = [\"Example\"]", kRange},
        BadProfile{"CommonNameField", "subject_fields = [\"CN=x\"]", kRange},
        BadProfile{"UnknownField", "subject_fields = [\"X=x\"]", kRange},
        BadProfile{"CountryOfThree", "subject_fields = [\"C=DEU\"]", kRange},
        BadProfile{"EmptyField", "subject_fields = [\"O=\"]", kRange},
        BadProfile{"FieldWithNewline", "subject_fields = [\"O=a\\nb\"]", kRange},
        BadProfile{"FieldWithPlaceholder", "subject_fields = [\"O={device_id}\"]", kRange},
        BadProfile{"UnprintableSerial", "subject_fields = [\"serialNumber=a_b\"]", kRange},
        BadProfile{"AltNameWithoutKind", "subject_alt_names = [\"{device_id}\"]", kRange},
        BadProfile{
            "AltNameWithOtherPlaceholder", "subject_alt_names = [\"dns:{order}.example\"]", kRange},
        BadProfile{"AltNameNotDns", "subject_alt_names = [\"dns:a b\"]", kRange},
        BadProfile{"AltNameNotAscii", "subject_alt_names = [\"uri:urn:ö\"]", kRange},
        BadProfile{"AltNameRelativeUri", "subject_alt_names = [\"uri:/x\"]", kRange},
        BadProfile{"AltNameTwice", "subject_alt_names = [\"dns:a.b\", \"dns:a.b\"]", kRange},
        BadProfile{"PolicyByName", "policies = [\"anyPolicy\"]", kRange},
        BadProfile{"PolicyTwice", "policies = [\"1.2.3\", \"1.2.3\"]", kRange},
        BadProfile{"UnknownKeyType", "allowed_keys = [\"P-521\"]", kRange},
        BadProfile{"NoKeyType", "allowed_keys = []", kRange},
        BadProfile{"KeyTypeTwice", "allowed_keys = [\"P-256\", \"P-256\"]", kRange}),
    [](const auto& tested) { return tested.param.name; });

TEST(ReadProfile, RefusesFieldsWithTheSubjectOfTheCsr) {
  const auto profile = read("[profile]\nsubject = \"csr\"\nsubject_fields = [\"O=Example\"]\n");
  ASSERT_FALSE(profile);
  EXPECT_EQ(profile.error().code(), ErrorCode::ConfigConflict);
}

TEST(ReadProfile, RefusesToIgnoreACommonNameThatItKeeps) {
  const auto profile = read("[profile]\nsubject = \"csr\"\ncsr_common_name = \"ignore\"\n");
  ASSERT_FALSE(profile);
  EXPECT_EQ(profile.error().code(), ErrorCode::ConfigConflict);
  EXPECT_NE(profile.error().detail().find("linesign.toml:3"), std::string::npos)
      << profile.error().detail();
}

TEST(CanonicalText, KeepsOneLinePerValue) {
  Profile profile;
  profile.subject_alt_names = {"uri:a\nb\\c"};
  EXPECT_NE(canonical_text(profile).find("subject_alt_name=uri:a\\x0ab\\x5cc\n"),
            std::string::npos);
}

// What read_profile refuses, the builder refuses too: a profile can also be made in code.
TEST(CertificateBuilderProfile, IsCheckedAgain) {
  const test::SoftwareCa made;
  const CaCertificate ca = made.certificate();
  const auto refuses = [&](auto change) {
    Profile profile;
    change(profile);
    return !CertificateBuilder::create(profile, ca);
  };
  EXPECT_TRUE(refuses([](Profile& p) { p.key_usage = {"keyCertSign"}; }));
  EXPECT_TRUE(refuses([](Profile& p) { p.extended_key_usage = {"OCSPSigning"}; }));
  EXPECT_TRUE(refuses([](Profile& p) { p.subject_fields = {{"CN", "x"}}; }));
  EXPECT_TRUE(refuses([](Profile& p) { p.subject_alt_names = {"dns:"}; }));
  EXPECT_TRUE(refuses([](Profile& p) { p.policies = {"x"}; }));
  EXPECT_TRUE(refuses([](Profile& p) { p.allowed_keys = {}; }));
  EXPECT_TRUE(refuses([](Profile& p) { p.validity = std::chrono::seconds(0); }));
  EXPECT_TRUE(refuses([](Profile& p) { p.backdate = std::chrono::seconds(-1); }));
  EXPECT_FALSE(refuses([](Profile&) {}));
}

}  // namespace
}  // namespace linesign
