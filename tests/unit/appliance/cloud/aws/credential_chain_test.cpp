// Which source of credentials counts.
#include "appliance/cloud/aws/credential_chain.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"
#include "tests/unit/appliance/cloud/aws/fakes.h"

namespace linesign::aws {
namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

class ChainTest : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(home_.path() / ".aws");
    std::ofstream(home_.path() / ".aws" / name) << text;
  }
  // Where the credentials would come from, or the error.
  std::string source(Variables variables, CredentialSource given = {}, std::string profile = {}) {
    variables["HOME"] = home_.path().string();
    variables.emplace("AWS_REGION", "eu-west-1");
    SettingsOverrides overrides;
    overrides.profile = std::move(profile);
    auto settings = load_settings(Environment(std::move(variables)), overrides);
    if (!settings.has_value()) return settings.error().to_string();
    settings_ = std::make_unique<Settings>(std::move(*settings));
    const Runtime runtime{world_.transport, world_.limiter, world_.skew, world_.time, world_.time};
    auto cache = find_credentials(*settings_, std::move(given), runtime);
    if (!cache.has_value()) return cache.error().to_string();
    cache_ = *cache;
    return cache_->source();
  }

  test::World world_;
  TempDir home_;
  std::unique_ptr<Settings> settings_;
  std::shared_ptr<CredentialCache> cache_;
};

const Variables kKeys = {{"AWS_ACCESS_KEY_ID", "AKENV"}, {"AWS_SECRET_ACCESS_KEY", "S"}};

Variables with(Variables variables, const std::string& name, const std::string& value) {
  variables[name] = value;
  return variables;
}

TEST_F(ChainTest, TheCallersKeysComeFirst) {
  CredentialSource given;
  given.keys.emplace();
  given.keys->access_key_id = "AK";
  given.keys->secret_access_key = SecretBytes(to_bytes(std::string_view("S")));
  EXPECT_EQ(source(kKeys, std::move(given)), "the configuration");
  EXPECT_EQ(cache_->get().value()->access_key_id, "AK");
}

TEST_F(ChainTest, ThenTheEnvironmentUnlessTheCallerNamesAProfile) {
  write("credentials",
        "[default]\naws_access_key_id=A\naws_secret_access_key=S\n"
        "[a]\naws_access_key_id=B\naws_secret_access_key=S\n");
  EXPECT_EQ(source(kKeys), "the environment");
  EXPECT_TRUE(source(kKeys, {}, "a").ends_with("credentials [a]"));
  EXPECT_EQ(cache_->get().value()->access_key_id, "B");
  EXPECT_EQ(source(with(kKeys, "AWS_PROFILE", "a")), "the environment") << "as botocore does";
  EXPECT_TRUE(source({{"AWS_PROFILE", "a"}}).ends_with("credentials [a]"));
}

TEST_F(ChainTest, ThenTheProfileFromItsRoleToItsKeys) {
  const std::string keys = "aws_access_key_id=A\naws_secret_access_key=S\n";
  write("config", "[default]\n" + keys);
  EXPECT_TRUE(source({}).ends_with("config [default]"));
  write("config", "[profile default]\n" + keys);
  EXPECT_TRUE(source({}).ends_with("config [profile default]"));
  write("config", "[default]\n" + keys + "credential_process=/bin/x\n");
  EXPECT_EQ(source({}), "credential_process");
  write("credentials", "[default]\n" + keys);
  EXPECT_TRUE(source({}).ends_with("credentials [default]"));
  write("config", "[default]\nrole_arn=arn:w\nweb_identity_token_file=/t\n");
  EXPECT_EQ(source({}), "web identity for arn:w");
  write("config", "[default]\nrole_arn=arn:r\ncredential_source=Environment\n");
  EXPECT_EQ(source(kKeys, {}, "default"), "AssumeRole arn:r");
}

TEST_F(ChainTest, AWebIdentityMayStandInTheEnvironment) {
  EXPECT_EQ(source({{"AWS_ROLE_ARN", "arn:e"}, {"AWS_WEB_IDENTITY_TOKEN_FILE", "/t"}}),
            "web identity for arn:e");
  write("credentials", "[a]\naws_access_key_id=A\naws_secret_access_key=S\n");
  EXPECT_TRUE(source({{"AWS_ROLE_ARN", "arn:e"}, {"AWS_WEB_IDENTITY_TOKEN_FILE", "/t"}}, {}, "a")
                  .ends_with("credentials [a]"));
}

TEST_F(ChainTest, LastTheContainerAndTheInstance) {
  EXPECT_EQ(source({{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x"}}), "the container's endpoint");
  EXPECT_EQ(source({}), "the instance metadata service");
  EXPECT_EQ(source({{"AWS_EC2_METADATA_DISABLED", "true"}}), "the instance metadata service");
  EXPECT_EQ(cache_->get().error().code(), ErrorCode::AwsCredentialsMissing);
}

TEST_F(ChainTest, ARoleIsTakenOnWithTheKeysOfItsSourceProfile) {
  write("credentials", "[base]\naws_access_key_id=AKBASE\naws_secret_access_key=S\n");
  write("config",
        "[profile line]\nrole_arn=arn:aws:iam::1:role/line\nsource_profile=base\n"
        "external_id=ext\nrole_session_name=plant-7\nduration_seconds=900\n");
  EXPECT_EQ(source({{"AWS_PROFILE", "line"}}), "AssumeRole arn:aws:iam::1:role/line");
  world_.transport.then(test::answer(
      200,
      "<Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>S</SecretAccessKey>"
      "<SessionToken>T</SessionToken><Expiration>2027-01-15T09:00:00Z</Expiration></Credentials>"));
  EXPECT_EQ(cache_->get().value()->access_key_id, "ASIA");
  const HttpRequest& request = world_.transport.requests.at(0);
  EXPECT_NE(test::header_of(request, "authorization").find("Credential=AKBASE/"),
            std::string::npos);
  EXPECT_NE(request.body.find("RoleSessionName=plant-7&DurationSeconds=900&ExternalId=ext"),
            std::string::npos);
}

TEST_F(ChainTest, RolesCanStandOnRoles) {
  write("config",
        "[profile a]\nrole_arn=arn:a\nsource_profile=b\n"
        "[profile b]\nrole_arn=arn:b\nsource_profile=c\n"
        "[profile c]\naws_access_key_id=AKC\naws_secret_access_key=S\n");
  CredentialSource given;
  given.role = AssumeRole{"arn:top", "linesign", "", {}};
  EXPECT_EQ(source({{"AWS_PROFILE", "a"}}, std::move(given)), "AssumeRole arn:top");
  const auto answer_with = [](const std::string& key) {
    return test::answer(200,
                        "<Credentials><AccessKeyId>" + key +
                            "</AccessKeyId><SecretAccessKey>S</SecretAccessKey><SessionToken>T"
                            "</SessionToken><Expiration>2027-01-15T09:00:00Z</Expiration>"
                            "</Credentials>");
  };
  world_.transport.then(answer_with("ASIAB"))
      .then(answer_with("ASIAA"))
      .then(answer_with("ASIATOP"));
  EXPECT_EQ(cache_->get().value()->access_key_id, "ASIATOP");
  ASSERT_EQ(world_.transport.requests.size(), 3U);
  const std::array signed_by = {"AKC", "ASIAB", "ASIAA"};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_NE(test::header_of(world_.transport.requests[i], "authorization").find(signed_by.at(i)),
              std::string::npos);
  }
}

TEST_F(ChainTest, AProfileThatIsItsOwnSourceUsesItsKeys) {
  write("config",
        "[profile a]\nrole_arn=arn:a\nsource_profile=a\n"
        "aws_access_key_id=AK\naws_secret_access_key=S\n");
  EXPECT_EQ(source({{"AWS_PROFILE", "a"}}), "AssumeRole arn:a");
}

TEST_F(ChainTest, WhatCannotWorkIsAnErrorAndNotPassedOver) {
  const auto error_of = [&](const std::string& profile) {
    write("config", "[profile a]\n" + profile);
    return source({}, {}, "a");
  };
  EXPECT_NE(
      error_of("role_arn=arn:a\nsource_profile=b\n").find("source_profile: there is no profile b"),
      std::string::npos);
  EXPECT_NE(
      error_of("role_arn=arn:a\nsource_profile=b\n[profile b]\n").find("b has no credentials"),
      std::string::npos);
  EXPECT_NE(
      error_of("role_arn=arn:a\nsource_profile=\n").find("source_profile: there is no profile"),
      std::string::npos);
  EXPECT_NE(error_of("role_arn=\nsource_profile=b\n").find("role_arn is missing or empty"),
            std::string::npos);
  EXPECT_NE(error_of("role_arn=arn:a\nsource_profile=a\n").find("leads back"), std::string::npos);
  EXPECT_NE(error_of("role_arn=arn:a\nsource_profile=b\ncredential_source=Environment\n")
                .find("source_profile and credential_source exclude each other"),
            std::string::npos);
  EXPECT_NE(error_of("role_arn=arn:a\ncredential_source=Environment\n")
                .find("AWS_ACCESS_KEY_ID is not set"),
            std::string::npos);
  EXPECT_NE(error_of("role_arn=arn:a\ncredential_source=EcsContainer\n")
                .find("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
            std::string::npos);
  EXPECT_NE(error_of("role_arn=arn:a\ncredential_source=Moon\n").find("Moon"), std::string::npos);
  EXPECT_NE(error_of("role_arn=arn:a\nsource_profile=b\nmfa_serial=x\n").find("MFA"),
            std::string::npos);
  EXPECT_NE(error_of("role_arn=arn:a\nsource_profile=b\nduration_seconds=5\n").find("duration"),
            std::string::npos);
  EXPECT_NE(error_of("sso_session=x\n").find("browser"), std::string::npos);
  EXPECT_NE(error_of("web_identity_token_file=/t\n").find("role_arn"), std::string::npos);
}

TEST_F(ChainTest, ARoleThatNothingSaysHowToAssumeIsRefused) {
  const std::string keys = "aws_access_key_id=AKWIDE\naws_secret_access_key=S\n";
  constexpr const char* kSays = "nothing says whose keys assume the role";
  // In either file, and with whatever else would have given keys.
  write("credentials", "[plant]\n" + keys);
  write("config", "[profile plant]\nrole_arn=arn:narrow\n");
  EXPECT_NE(source({}, {}, "plant").find(kSays), std::string::npos);
  write("config", "[profile plant]\nregion=eu-west-1\n");
  write("credentials", "[plant]\nrole_arn=arn:narrow\n" + keys);
  EXPECT_NE(source({}, {}, "plant").find(kSays), std::string::npos);
  write("credentials", "[plant]\nrole_arn=arn:narrow\ncredential_process=/bin/x\n");
  EXPECT_NE(source({}, {}, "plant").find(kSays), std::string::npos);
  write("credentials", "[default]\nrole_arn=arn:narrow\n" + keys);
  EXPECT_NE(source({}).find(kSays), std::string::npos);
  EXPECT_EQ(source(kKeys), "the environment");
  // As a source, too.
  write("credentials", "[top]\nrole_arn=arn:t\nsource_profile=mid\n[mid]\nrole_arn=arn:m\n");
  EXPECT_NE(source({}, {}, "top").find(kSays), std::string::npos);
}

TEST_F(ChainTest, ProfilesThatLeadBackToThemselvesAreRefused) {
  const std::string keys = "aws_access_key_id=A\naws_secret_access_key=S\n";
  write("config",
        "[profile a]\nrole_arn=arn:a\nsource_profile=b\n" + keys +
            "[profile b]\nrole_arn=arn:b\nsource_profile=a\n");
  EXPECT_NE(source({}, {}, "a").find("leads back to itself"), std::string::npos);
  write("config",
        "[profile a]\nrole_arn=arn:a\nsource_profile=b\n"
        "[profile b]\nrole_arn=arn:b\nsource_profile=b\n");
  EXPECT_NE(source({}, {}, "a").find("leads back to itself"), std::string::npos);
  write("config",
        "[profile a]\nrole_arn=arn:a\nsource_profile=b\n"
        "[profile b]\nrole_arn=arn:b\nsource_profile=b\n" +
            keys);
  EXPECT_EQ(source({}, {}, "a"), "AssumeRole arn:a") << "the keys of b count before its role";
}

TEST_F(ChainTest, ABadLineOfASourceProfileIsNamed) {
  write("config", "[profile a]\nrole_arn=arn:a\nsource_profile=b\n");
  write("credentials", "[b]\naws_access_key_id=A # of May\naws_secret_access_key=S\n");
  EXPECT_NE(source({}, {}, "a").find("/credentials:2: aws_access_key_id: a comment after a value"),
            std::string::npos);
}

TEST_F(ChainTest, HalfAKeyInAFileIsNotPassedOver) {
  for (const char* half : {"aws_access_key_id=A\n", "aws_secret_access_key=S\n"}) {
    write("credentials", std::string("[default]\n") + half);
    EXPECT_TRUE(source({}).ends_with("credentials [default]")) << half;
    EXPECT_EQ(cache_->get().error().code(), ErrorCode::AwsCredentialsFailed);
  }
  write("credentials", "[default]\naws_access_key_id=\naws_secret_access_key=S\n");
  EXPECT_NE(source({}).find("aws_access_key_id: the value is empty"), std::string::npos);
}

TEST_F(ChainTest, RolesAnywhereNeedsACertificate) {
  CredentialSource given;
  given.roles_anywhere =
      RolesAnywhere{"arn:aws:rolesanywhere:eu-west-1:1:trust-anchor/a", "p", "r", "", {}};
  EXPECT_NE(source(kKeys, std::move(given)).find("needs a certificate"), std::string::npos);
}

}  // namespace
}  // namespace linesign::aws
