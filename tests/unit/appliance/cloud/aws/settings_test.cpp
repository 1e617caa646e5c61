#include "appliance/cloud/aws/settings.h"

#include <fstream>

#include <gtest/gtest.h>

#include "appliance/cloud/aws/endpoints.h"
#include "tests/support/temp_dir.h"

namespace linesign::aws {
namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

class SettingsTest : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(home_.path() / ".aws");
    std::ofstream(home_.path() / ".aws" / name) << text;
  }
  Result<Settings> load(Variables variables, const SettingsOverrides& overrides = {}) {
    variables["HOME"] = home_.path().string();
    return load_settings(Environment(std::move(variables)), overrides);
  }
  std::string url_of(Service service,
                     Variables variables,
                     const SettingsOverrides& overrides = {}) {
    variables.emplace("AWS_REGION", "eu-west-1");
    const Settings settings = load(std::move(variables), overrides).value();
    return to_string(find_endpoint(service, settings.region, settings).value().url);
  }

  TempDir home_;
};

TEST(ProfileFile, ReadsSectionsCommentsAndNestedBlocks) {
  const ProfileFile file = ProfileFile::parse(
                               "# comment\n"
                               "[default]\r\n"
                               "region = eu-west-1\r\n"
                               "; another\n"
                               "[ profile  \"line a\" ]\n"
                               "Role_ARN=arn:aws:iam::1:role/a=b\n"
                               "s3 =\n"
                               "    # inside\n"
                               "    endpoint_url = http://localhost:1\n"
                               "    max = 3\n"
                               "region = us-east-1\n"
                               "\n"
                               "[default]\n"
                               "output = json\n",
                               "config")
                               .value();
  ASSERT_NE(file.find("default"), nullptr);
  EXPECT_EQ(file.find("default")->get("region"), "eu-west-1");
  EXPECT_EQ(file.find("default")->get("output"), "json");
  const ProfileSection* profile = file.find("profile line a");
  ASSERT_NE(profile, nullptr);
  EXPECT_EQ(profile->get("role_arn"), "arn:aws:iam::1:role/a=b");
  EXPECT_EQ(profile->get("s3", "endpoint_url"), "http://localhost:1");
  EXPECT_EQ(profile->get("s3"), "");
  EXPECT_EQ(profile->get("region"), "us-east-1");
  EXPECT_EQ(file.find("profile other"), nullptr);
}

TEST(ProfileFile, KeepsSecretsApart) {
  const ProfileFile file =
      ProfileFile::parse("[a]\naws_access_key_id = AK\naws_secret_access_key = S+/=\n", "f")
          .value();
  EXPECT_EQ(file.find("a")->get("aws_access_key_id"), "AK");
  EXPECT_EQ(file.find("a")->get("aws_secret_access_key"), "");
  EXPECT_EQ(as_text(file.find("a")->secret("aws_secret_access_key").reveal()), "S+/=");
  EXPECT_TRUE(file.find("a")->secret("aws_session_token").empty());
}

TEST(ProfileFile, NamesTheLineThatIsWrongAndNotWhatStandsThere) {
  for (const char* text :
       {"key = secret\n", "[a\n", "[a]\nsecret\n", "[a]\n= secret\n", "[a]\n  secret\n"}) {
    const auto file = ProfileFile::parse(text, "/x/credentials");
    ASSERT_FALSE(file.has_value()) << text;
    EXPECT_EQ(file.error().code(), ErrorCode::AwsSettings);
    EXPECT_NE(file.error().detail().find("/x/credentials:"), std::string::npos);
    EXPECT_EQ(file.error().detail().find("secret"), std::string::npos);
  }
}

TEST_F(SettingsTest, NothingSetMeansTheBuiltInValues) {
  const Settings settings = load({}).value();
  EXPECT_EQ(settings.profile, "default");
  EXPECT_FALSE(settings.is_profile_named);
  EXPECT_EQ(settings.region, "");
  EXPECT_EQ(settings.max_attempts, 3);
  EXPECT_FALSE(settings.transport.ca_bundle);
  EXPECT_EQ(find_endpoint(Service::Iot, "", settings).error().code(), ErrorCode::AwsSettings);
}

TEST_F(SettingsTest, TheRegionComesFromTheFirstThatNamesOne) {
  write("config", "[default]\nregion = eu-south-1\n[profile a]\nregion = eu-south-2\n");
  EXPECT_EQ(load({}).value().region, "eu-south-1");
  EXPECT_EQ(load({{"AWS_PROFILE", "a"}}).value().region, "eu-south-2");
  EXPECT_EQ(load({{"AWS_DEFAULT_REGION", "eu-west-2"}}).value().region, "eu-west-2");
  EXPECT_EQ(load({{"AWS_REGION", "eu-west-3"}, {"AWS_DEFAULT_REGION", "eu-west-2"}}).value().region,
            "eu-west-3");
  SettingsOverrides overrides;
  overrides.region = "ca-central-1";
  EXPECT_EQ(load({{"AWS_REGION", "eu-west-3"}}, overrides).value().region, "ca-central-1");
}

TEST_F(SettingsTest, FilesCanBeElsewhere) {
  write("other", "[default]\nregion = eu-south-1\nmax_attempts = 7\n");
  const Settings settings =
      load({{"AWS_CONFIG_FILE", (home_.path() / ".aws" / "other").string()}}).value();
  EXPECT_EQ(settings.max_attempts, 7);
  EXPECT_EQ(load({{"AWS_CONFIG_FILE", "~/.aws/other"}}).value().region, "eu-south-1");
}

TEST_F(SettingsTest, AnUnknownProfileOrAWrongValueIsAnError) {
  for (const Variables& variables : {Variables{{"AWS_PROFILE", "nobody"}},
                                     Variables{{"AWS_MAX_ATTEMPTS", "0"}},
                                     Variables{{"AWS_MAX_ATTEMPTS", "many"}},
                                     Variables{{"AWS_USE_FIPS_ENDPOINT", "yes"}},
                                     Variables{{"AWS_METADATA_SERVICE_TIMEOUT", "-1"}},
                                     Variables{{"AWS_REGION", "eu-west-1.evil.example/"}}}) {
    const auto settings = load(variables);
    ASSERT_FALSE(settings.has_value()) << variables.begin()->first;
    EXPECT_EQ(settings.error().code(), ErrorCode::AwsSettings);
  }
}

TEST_F(SettingsTest, ReadsProxiesAndTheBundle) {
  const Settings settings = load({{"HTTPS_PROXY", "http://upper:1"},
                                  {"https_proxy", "http://lower:1"},
                                  {"HTTP_PROXY", "http://plain:1"},
                                  {"NO_PROXY", "localhost,.example"},
                                  {"AWS_CA_BUNDLE", "/etc/bundle.pem"}})
                                .value();
  EXPECT_EQ(settings.transport.proxies.for_https, "http://lower:1");
  EXPECT_EQ(settings.transport.proxies.for_http, "http://plain:1");
  EXPECT_EQ(settings.transport.proxies.none_for, "localhost,.example");
  EXPECT_EQ(settings.transport.ca_bundle, "/etc/bundle.pem");
}

TEST_F(SettingsTest, HostsFollowPartitionFipsAndDualStack) {
  const auto host = [&](Service service, const std::string& region, const Variables& variables) {
    return find_endpoint(service, region, load(variables).value()).value().url.host;
  };
  const Variables fips = {{"AWS_USE_FIPS_ENDPOINT", "true"}};
  const Variables dual = {{"AWS_USE_DUALSTACK_ENDPOINT", "true"}};
  EXPECT_EQ(host(Service::Iot, "eu-west-1", {}), "iot.eu-west-1.amazonaws.com");
  EXPECT_EQ(host(Service::Iot, "cn-north-1", {}), "iot.cn-north-1.amazonaws.com.cn");
  EXPECT_EQ(host(Service::Iot, "us-gov-west-1", fips), "iot-fips.us-gov-west-1.amazonaws.com");
  EXPECT_EQ(host(Service::Iot, "eu-west-1", dual), "iot.eu-west-1.api.aws");
  EXPECT_EQ(host(Service::S3, "eu-west-1", dual), "s3.dualstack.eu-west-1.amazonaws.com");
  EXPECT_EQ(host(Service::Sts, "eu-west-1", {}), "sts.eu-west-1.amazonaws.com");
  EXPECT_EQ(host(Service::RolesAnywhere, "mars-north-1", {}),
            "rolesanywhere.mars-north-1.amazonaws.com");
  const Settings legacy = load({{"AWS_STS_REGIONAL_ENDPOINTS", "legacy"}}).value();
  const Endpoint global = find_endpoint(Service::Sts, "eu-west-1", legacy).value();
  EXPECT_EQ(global.url.host, "sts.amazonaws.com");
  EXPECT_EQ(global.signing_region, "us-east-1");
  EXPECT_EQ(partition_of("cn-north-1"), "aws-cn");
  EXPECT_EQ(partition_of("us-gov-east-1"), "aws-us-gov");
  EXPECT_EQ(partition_of("me-south-1"), "aws");
}

TEST_F(SettingsTest, EndpointUrlsFollowTheirOrder) {
  write("config",
        "[default]\nservices = local\nendpoint_url = https://profile\n"
        "[services local]\niot =\n  endpoint_url = https://block\n");
  EXPECT_EQ(url_of(Service::Sts, {}), "https://profile");
  EXPECT_EQ(url_of(Service::Iot, {}), "https://block");
  EXPECT_EQ(url_of(Service::Iot, {{"AWS_ENDPOINT_URL", "https://all"}}), "https://all");
  EXPECT_EQ(url_of(Service::Iot,
                   {{"AWS_ENDPOINT_URL", "https://all"}, {"AWS_ENDPOINT_URL_IOT", "https://one"}}),
            "https://one");
  EXPECT_EQ(url_of(Service::RolesAnywhere, {{"AWS_ENDPOINT_URL_ROLESANYWHERE", "https://ra"}}),
            "https://ra");
  EXPECT_EQ(url_of(Service::Iot,
                   {{"AWS_ENDPOINT_URL", "https://all"},
                    {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"}}),
            "https://iot.eu-west-1.amazonaws.com");
  SettingsOverrides overrides;
  overrides.endpoint_url = "https://flag";
  overrides.endpoint_urls[Service::S3] = "https://s3flag/base/";
  EXPECT_EQ(url_of(Service::Iot, {{"AWS_ENDPOINT_URL_IOT", "https://one"}}, overrides),
            "https://flag");
  EXPECT_EQ(url_of(Service::S3, {}, overrides), "https://s3flag/base");
}

TEST_F(SettingsTest, PlainHttpLeadsToThisMachineOnly) {
  EXPECT_EQ(url_of(Service::Iot, {{"AWS_ENDPOINT_URL", "http://localhost:5000"}}),
            "http://localhost:5000");
  const Settings settings =
      load({{"AWS_ENDPOINT_URL", "http://iot.example"}, {"AWS_REGION", "eu-west-1"}}).value();
  EXPECT_EQ(find_endpoint(Service::Iot, "eu-west-1", settings).error().code(),
            ErrorCode::AwsSettings);
}

TEST_F(SettingsTest, BucketsStandInTheHostWhereTlsAllowsIt) {
  const Settings plain = load({}).value();
  const Endpoint s3 = find_endpoint(Service::S3, "eu-west-1", plain).value();
  EXPECT_EQ(to_string(with_bucket(s3, "lots").url), "https://lots.s3.eu-west-1.amazonaws.com");
  EXPECT_EQ(to_string(with_bucket(s3, "lots.example").url),
            "https://s3.eu-west-1.amazonaws.com/lots.example");
  const Settings local = load({{"AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9000/base"}}).value();
  const Endpoint custom = find_endpoint(Service::S3, "eu-west-1", local).value();
  EXPECT_EQ(to_string(with_bucket(custom, "lots").url), "http://127.0.0.1:9000/base/lots");
}

}  // namespace
}  // namespace linesign::aws
