#include "appliance/cloud/aws/settings.h"

#include <unistd.h>

#include <fstream>

#include <gtest/gtest.h>
#include <pwd.h>

#include "appliance/cloud/aws/endpoints.h"
#include "appliance/cloud/aws/profile_values.h"
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
      "[default] ; the appliance\r\n"
      "region = eu-west-1\r\n"
      "; another\n"
      "[profile  \"line a\"]# of line a\n"
      "Role_ARN=arn:aws:iam::1:role/a=b\n"
      "s3 =\n"
      "    # inside\n"
      "    endpoint_url = http://localhost:1\n"
      "    max = 3\n"
      "region: us-east-1\n"
      "\n"
      "[indented]\n"
      "  region = eu-west-2\n"
      "\toutput = json\n",
      "config");
  ASSERT_NE(file.find("default"), nullptr);
  EXPECT_EQ(file.find("default")->get("region"), "eu-west-1");
  EXPECT_TRUE(file.find("default")->check().has_value());
  const ProfileSection* profile = file.find("profile line a");
  ASSERT_NE(profile, nullptr);
  EXPECT_EQ(profile->get("role_arn"), "arn:aws:iam::1:role/a=b");
  EXPECT_EQ(profile->get("s3", "endpoint_url"), "http://localhost:1");
  EXPECT_EQ(profile->get("s3"), "");
  EXPECT_EQ(profile->get("region"), "us-east-1");
  EXPECT_EQ(file.find("indented")->get("region"), "eu-west-2");
  EXPECT_EQ(file.find("indented")->get("output"), "json");
  EXPECT_EQ(file.find("profile other"), nullptr);
}

TEST(ProfileValues, KnowUtf8ByItsForms) {
  for (const char* text :
       {"", "plain", "\xc3\xbc", "\xe2\x82\xac", "\xed\x9f\xbf", "\xf0\x9f\x98\x80"})
    EXPECT_TRUE(is_utf8(text)) << text;
  // Latin-1, a lone second byte, too long a form, a surrogate, beyond U+10FFFF, cut off.
  for (const char* text : {"S\xfc"
                           "d",
                           "\x80",
                           "\xc0\xaf",
                           "\xe0\x80\xaf",
                           "\xed\xa0\x80",
                           "\xf4\x90\x80\x80",
                           "\xf5\x80\x80\x80",
                           "\xe2\x82",
                           "\xe2\x82x",
                           "\xc3"})
    EXPECT_FALSE(is_utf8(text)) << text;
}

TEST(ProfileValues, KnowWhiteSpaceAsPythonDoes) {
  EXPECT_EQ(strip(" \t\v\f\xc2\xa0\xe3\x80\x80"
                  "a b\xe2\x80\xaf\x1f "),
            "a b");
  EXPECT_EQ(strip("\xc2\xa0 "), "");
  EXPECT_EQ(strip("\xe2\x80\x8b"
                  "a"),
            "\xe2\x80\x8b"
            "a")
      << "no width, no white space";
}

TEST(ProfileFile, KeepsSecretsApart) {
  const ProfileFile file =
      ProfileFile::parse("[a]\naws_access_key_id = AK\naws_secret_access_key = S+/=\n", "f");
  EXPECT_EQ(file.find("a")->get("aws_access_key_id"), "AK");
  EXPECT_EQ(file.find("a")->get("aws_secret_access_key"), "");
  EXPECT_EQ(as_text(file.find("a")->secret("aws_secret_access_key").reveal()), "S+/=");
  EXPECT_TRUE(file.find("a")->secret("aws_session_token").empty());
}

struct BadLine {
  const char* text;
  const char* says;
};

TEST(ProfileFile, NamesTheLineThatIsWrongAndNotWhatStandsThere) {
  const BadLine kLines[] = {
      {"hidden\n", ":2: \"key = value\" is expected"},
      {"= hidden\n", ":2: \"key = value\" is expected"},
      {"region = x\nREGION = hidden\n", ":3: region stands in this section twice"},
      {"s3 =\n  hidden\n", ":2: s3: \"name = value\" is expected in the lines below"},
      {"note = \xff hidden\n", ":2: this line is not UTF-8"},
      {"aws_access_key_id =\n", ":2: aws_access_key_id: the value is empty"},
      {"aws_access_key_id = HIDDEN # new\n",
       ":2: aws_access_key_id: a comment after a value is part of the value"},
      {"aws_access_key_id = \"HIDDEN\"\n", "has only letters and digits, without quotes"},
      {"aws_secret_access_key = hidden ; new\n",
       ":2: aws_secret_access_key: a comment after a value is part of the value"},
      {"aws_secret_access_key = se cret\n", "holds a space"},
      {"aws_session_token = hidden\n  hidden\n", "the indented line below it is part of the value"},
      {"region = hidden # x\n", ":2: region: a comment after a value"},
      {"[a]\nregion = eu-west-1\n", ":2: the section stands in line 1 already"}};
  for (const BadLine& each : kLines) {
    const ProfileFile file = ProfileFile::parse(std::string("[a]\n") + each.text, "/x/credentials");
    const auto checked = file.find("a")->check();
    ASSERT_FALSE(checked.has_value()) << each.text;
    EXPECT_EQ(checked.error().code(), ErrorCode::AwsSettings);
    EXPECT_NE(checked.error().detail().find(each.says), std::string::npos)
        << checked.error().detail();
    EXPECT_EQ(checked.error().detail().find("/x/credentials:"), 0U);
    EXPECT_EQ(to_lower(checked.error().detail()).find("hidden"), std::string::npos);
  }
}

TEST(ProfileFile, ABadLineConcernsItsSectionAlone) {
  const ProfileFile file = ProfileFile::parse(
      "nothing above\n[a]\nregion = eu-west-1\n[broken\nregion = us-east-1\n[b]\nbroken\n[a b]\n"
      "[c]\ncommand = /bin/x # y\n",
      "f");
  EXPECT_TRUE(file.check().has_value());
  EXPECT_TRUE(file.find("a")->check().has_value());
  EXPECT_EQ(file.find("a")->get("region"), "eu-west-1");
  EXPECT_FALSE(file.find("b")->check().has_value());
  EXPECT_TRUE(file.find("c")->check().has_value());
  EXPECT_EQ(file.find("c")->get("command"), "/bin/x # y");
}

TEST(ProfileFile, HintsAtWhatMayBeMeant) {
  const ProfileFile file = ProfileFile::parse(
      "[ plant ]\n[profile two words]\n[\"quoted\"]\n[open\n[one] # see [2]\n", "f");
  EXPECT_EQ(file.find("plant"), nullptr);
  EXPECT_EQ(file.hint("plant").find("f:1: "), 0U);
  EXPECT_EQ(file.find("profile two words"), nullptr);
  EXPECT_EQ(file.hint("profile two words").find("f:2: "), 0U);
  EXPECT_EQ(file.hint("quoted").find("f:3: "), 0U);
  EXPECT_EQ(file.hint("open"), "f:4: the section does not end with ']'");
  EXPECT_EQ(file.hint("one").find("f:5: "), 0U);
  EXPECT_EQ(file.hint("other"), "");
  EXPECT_EQ(ProfileFile::parse("\xef\xbb\xbf[a]\nregion = x\n", "f").hint("a"),
            "f:1: the file begins with a byte order mark: save it as UTF-8 without one");
  EXPECT_FALSE(ProfileFile::parse(std::string("\xff\xfe[\0", 4), "f").check().has_value());
}

TEST(ProfileFile, DefaultInCapitalsStandsInForWhatIsMissing) {
  const ProfileFile file = ProfileFile::parse(
      "[a]\nregion = eu-west-1\n[DEFAULT]\nregion = us-east-1\nrole_arn = arn:r\n"
      "aws_secret_access_key = S\ns3 =\n  max = 3\n",
      "f");
  EXPECT_EQ(file.find("DEFAULT"), nullptr);
  EXPECT_EQ(file.find("a")->get("region"), "eu-west-1");
  EXPECT_EQ(file.find("a")->get("role_arn"), "arn:r");
  EXPECT_EQ(file.find("a")->get("s3", "max"), "3");
  EXPECT_FALSE(file.find("a")->secret("aws_secret_access_key").empty());
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

TEST_F(SettingsTest, AProfileInTheCredentialsFileCountsBeforeItInTheConfigFile) {
  write("config", "[profile a]\nregion = eu-south-1\nmax_attempts = 7\n");
  write("credentials", "[a]\nregion = eu-south-2\nendpoint_url = https://a\n");
  const Settings settings = load({{"AWS_PROFILE", "a"}}).value();
  EXPECT_EQ(settings.region, "eu-south-2");
  EXPECT_EQ(settings.max_attempts, 7);
  EXPECT_EQ(settings.endpoint_urls.at(Service::Iot), "https://a");
}

TEST_F(SettingsTest, FilesCanBeElsewhere) {
  write("other", "[default]\nregion = eu-south-1\nmax_attempts = 7\n");
  const Settings settings =
      load({{"AWS_CONFIG_FILE", (home_.path() / ".aws" / "other").string()}}).value();
  EXPECT_EQ(settings.max_attempts, 7);
  EXPECT_EQ(load({{"AWS_CONFIG_FILE", "~/.aws/other"}}).value().region, "eu-south-1");
  write("others", "[line]\naws_access_key_id = AK\n");
  const Variables credentials = {{"AWS_SHARED_CREDENTIALS_FILE", "~/.aws/others"},
                                 {"AWS_PROFILE", "line"}};
  EXPECT_EQ(load(credentials).value().credentials_file.find("line")->get("aws_access_key_id"),
            "AK");
  const auto relative = std::filesystem::relative(home_.path() / ".aws" / "other");
  ASSERT_TRUE(relative.is_relative());
  EXPECT_EQ(load({{"AWS_CONFIG_FILE", relative.string()}}).value().region, "eu-south-1");
}

TEST_F(SettingsTest, WithoutHomeTheUserDatabaseSaysWhereTheFilesAre) {
  const passwd* const user = ::getpwuid(::getuid());
  ASSERT_NE(user, nullptr);
  for (const Variables& variables : {Variables{}, Variables{{"HOME", ""}}}) {
    const Settings settings = load_settings(Environment(variables), {}).value();
    EXPECT_EQ(settings.config_path, std::filesystem::path(user->pw_dir) / ".aws/config");
    EXPECT_EQ(settings.credentials_path, std::filesystem::path(user->pw_dir) / ".aws/credentials");
  }
}

TEST_F(SettingsTest, AFileThatCannotBeReadIsNamed) {
  std::filesystem::create_directories(home_.path() / ".aws" / "credentials");
  const auto named = load({{"AWS_PROFILE", "plant"}});
  ASSERT_FALSE(named.has_value());
  EXPECT_EQ(named.error().code(), ErrorCode::AwsSettings);
  EXPECT_EQ(named.error().detail(),
            (home_.path() / ".aws/credentials").string() + ": Is a directory");
  // Nobody names a profile: what needs none goes on.
  EXPECT_TRUE(load({}).has_value());
  EXPECT_FALSE(load({}).value().check_profile("default").has_value());
}

TEST_F(SettingsTest, ABadLineOfAnotherProfileStopsNobody) {
  write("config", "[profile other]\nbroken\n[profile plant]\nregion = eu-south-1\n");
  write("credentials", "[other]\nbroken\n[plant]\naws_access_key_id = AK\n");
  EXPECT_EQ(load({{"AWS_PROFILE", "plant"}}).value().region, "eu-south-1");
  const auto other = load({{"AWS_PROFILE", "other"}});
  ASSERT_FALSE(other.has_value());
  EXPECT_NE(other.error().detail().find("/credentials:2: "), std::string::npos);
}

TEST_F(SettingsTest, OfTwoDefaultProfilesTheLaterCounts) {
  write("config", "[profile default]\nregion = eu-south-1\n[default]\nregion = eu-south-2\n");
  EXPECT_EQ(load({}).value().region, "eu-south-2");
  write("config", "[default]\nregion = eu-south-2\n[profile default]\nregion = eu-south-1\n");
  EXPECT_EQ(load({}).value().region, "eu-south-1");
}

TEST_F(SettingsTest, TheProfileComesFromTheFirstThatNamesOne) {
  write("config",
        "[profile a]\nregion = eu-south-1\n[profile b]\nregion = eu-south-2\n"
        "[profile c]\nregion = eu-west-1\n");
  const Variables both = {{"AWS_PROFILE", "b"}, {"AWS_DEFAULT_PROFILE", "c"}};
  EXPECT_EQ(load({{"AWS_DEFAULT_PROFILE", "c"}}).value().region, "eu-west-1");
  EXPECT_EQ(load(both).value().region, "eu-south-2");
  SettingsOverrides overrides;
  overrides.profile = "a";
  EXPECT_EQ(load(both, overrides).value().region, "eu-south-1");
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
  EXPECT_EQ(load({{"AWS_MAX_ATTEMPTS", "0"}}).error().detail(),
            "AWS_MAX_ATTEMPTS: 1 to 20 is expected");
  write("config", "[profile a]\nmax_attempts = 0\n[profile b]\nuse_fips_endpoint = yes\n");
  EXPECT_EQ(load({{"AWS_PROFILE", "a"}}).error().detail(),
            "profile a, max_attempts: 1 to 20 is expected");
  EXPECT_EQ(load({{"AWS_PROFILE", "b"}}).error().detail(),
            "profile b, use_fips_endpoint: true or false is expected");
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
