// Where credentials come from: each provider by itself.
#include <sys/stat.h>

#include <fstream>

#include <gtest/gtest.h>

#include "appliance/cloud/aws/child_process.h"
#include "appliance/cloud/aws/metadata_credentials.h"
#include "appliance/cloud/aws/process_credentials.h"
#include "appliance/cloud/aws/role_credentials.h"
#include "appliance/cloud/aws/static_credentials.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/appliance/cloud/aws/fakes.h"

namespace linesign::aws {
namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

std::string secret_of(const Credentials& credentials) {
  return reveal_text(credentials.secret_access_key);
}
std::string token_of(const Credentials& credentials) {
  return reveal_text(credentials.session_token);
}

// --- static

TEST(EnvironmentCredentials, AreKeyAndToken) {
  const Environment environment(Variables{{"AWS_ACCESS_KEY_ID", "AK"},
                                          {"AWS_SECRET_ACCESS_KEY", "S"},
                                          {"AWS_SECURITY_TOKEN", "legacy"}});
  const Credentials credentials = EnvironmentCredentials(environment).fetch().value();
  EXPECT_EQ(credentials.access_key_id, "AK");
  EXPECT_EQ(secret_of(credentials), "S");
  EXPECT_EQ(token_of(credentials), "legacy");
  EXPECT_FALSE(credentials.expires_at);
}

TEST(EnvironmentCredentials, HalfAKeyIsAFailure) {
  for (const char* name : {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}) {
    const Environment environment(Variables{{name, "value-that-must-not-show"}});
    const auto credentials = EnvironmentCredentials(environment).fetch();
    ASSERT_FALSE(credentials.has_value());
    EXPECT_EQ(credentials.error().code(), ErrorCode::AwsCredentialsFailed);
    EXPECT_EQ(credentials.error().detail().find("must-not-show"), std::string::npos);
  }
}

TEST(EnvironmentCredentials, AKeyThatCannotBeOneIsRefused) {
  for (const auto& [id, secret] : {std::pair("AK # old", "S"),
                                   std::pair("AK\r\nHost: x", "S"),
                                   std::pair("\"AK\"", "S"),
                                   std::pair("AK", "must-not-show\n"),
                                   std::pair("AK", "must-not-show # old")}) {
    const Environment environment(
        Variables{{"AWS_ACCESS_KEY_ID", id}, {"AWS_SECRET_ACCESS_KEY", secret}});
    const auto credentials = EnvironmentCredentials(environment).fetch();
    ASSERT_FALSE(credentials.has_value()) << id;
    EXPECT_EQ(credentials.error().code(), ErrorCode::AwsCredentialsFailed);
    EXPECT_EQ(credentials.error().detail().find("must-not-show"), std::string::npos);
  }
}

TEST(FileCredentials, AreReadAnewEachTime) {
  const TempDir dir;
  const auto path = dir.path() / "credentials";
  FileCredentials provider(path, "line");
  std::ofstream(path) << "[line]\naws_access_key_id=AK1\naws_secret_access_key=S1\n";
  EXPECT_EQ(provider.fetch().value().access_key_id, "AK1");
  std::ofstream(path) << "[line]\naws_access_key_id=AK2\naws_secret_access_key=S2\n"
                         "aws_session_token=T2\n";
  EXPECT_EQ(provider.fetch().value().access_key_id, "AK2");
  EXPECT_EQ(token_of(provider.fetch().value()), "T2");
  std::ofstream(path) << "[other]\n";
  EXPECT_EQ(provider.fetch().error().code(), ErrorCode::AwsCredentialsFailed);
}

// --- credential_process

TEST(SplitWords, FollowsAShellWithoutBeingOne) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(split_words("  a\tb  c ").value(), (Words{"a", "b", "c"}));
  EXPECT_EQ(split_words(R"("a b" 'c "d"' e\ f "" "g\"h\n")").value(),
            (Words{"a b", "c \"d\"", "e f", "", "g\"h\\n"}));
  EXPECT_EQ(split_words("a;b|c $HOME `x` >y").value(), (Words{"a;b|c", "$HOME", "`x`", ">y"}));
  for (const char* text : {"", "  ", "'a", "\"a", "a\\"})
    EXPECT_EQ(split_words(text).error().code(), ErrorCode::AwsSettings) << text;
}

class ProcessTest : public ::testing::Test {
 protected:
  Result<Credentials> run(const std::string& script, const std::string& arguments = {}) {
    const auto path = dir_.path() / "a program";
    std::ofstream(path) << "#!/bin/sh\n" << script;
    ::chmod(path.c_str(), 0700);
    return ProcessCredentials("'" + path.string() + "' " + arguments, environment_).fetch();
  }
  TempDir dir_;
  const Environment environment_{Variables{{"PATH", "/usr/bin:/bin"}, {"FROM_PARENT", "parent"}}};
};

TEST_F(ProcessTest, CredentialsAreWhatItPrints) {
  const Credentials credentials =
      run("cat <<END\n{\"Version\": 1, \"AccessKeyId\": \"$1-$FROM_PARENT\", \"SecretAccessKey\": "
          "\"S\",\n"
          "\"SessionToken\": \"T\", \"Expiration\": \"2027-01-15T09:00:00+00:00\",\n"
          "\"AccountId\": \"123456789012\"}\nEND\n",
          "'$x y'")
          .value();
  EXPECT_EQ(credentials.access_key_id, "$x y-parent");
  EXPECT_EQ(secret_of(credentials), "S");
  EXPECT_EQ(token_of(credentials), "T");
  EXPECT_EQ(credentials.expires_at, test::kNow + std::chrono::hours(1));
  EXPECT_EQ(credentials.account_id, "123456789012");
}

TEST_F(ProcessTest, ItsFailureIsNamedAndItsOutputIsNot) {
  struct {
    const char* script;
    const char* says;
  } const cases[] = {
      {"echo 'no session' >&2; echo '{\"SecretAccessKey\":\"hidden\"}'; exit 3",
       "exit status 3: no session"},
      {"kill -9 $$", "signal 9"},
      {"echo hidden", "it does not print JSON"},
      {"echo '{\"Version\":2,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"hidden\"}'",
       "Version is not 1"},
      {"echo '{\"Version\":1,\"SecretAccessKey\":\"hidden\"}'", "AccessKeyId is missing"},
      {"echo "
       "'{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"hidden\",\"Expiration\":\"x\"}"
       "'",
       "Expiration is not a time"},
      {"echo "
       "'{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"hidden\",\"Expiration\":\"\"}'",
       "Expiration is not a time"},
      {"echo "
       "'{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"hidden\","
       "\"Expiration\":1800003600}'",
       "Expiration is not a text in quotes"},
      {"echo "
       "'{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"hidden\","
       "\"SessionToken\":[1]}'",
       "SessionToken is not a text in quotes"},
      {"head -c 100000 /dev/zero", "it prints too much"}};
  for (const auto& each : cases) {
    const auto credentials = run(each.script);
    ASSERT_FALSE(credentials.has_value()) << each.says;
    EXPECT_EQ(credentials.error().code(), ErrorCode::AwsCredentialsFailed);
    EXPECT_NE(credentials.error().detail().find(each.says), std::string::npos)
        << credentials.error().detail();
    EXPECT_EQ(credentials.error().detail().find("hidden"), std::string::npos);
  }
  const auto missing = ProcessCredentials("/no/such/program", environment_).fetch();
  EXPECT_EQ(missing.error().code(), ErrorCode::AwsCredentialsFailed);
}

TEST_F(ProcessTest, WithoutAnEndTheyLast) {
  for (const char* end : {"", ",\"Expiration\":null"}) {
    const auto credentials =
        run(std::string("echo '{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\"") +
            end + "}'");
    ASSERT_TRUE(credentials.has_value()) << credentials.error().to_string();
    EXPECT_FALSE(credentials->expires_at);
  }
}

TEST_F(ProcessTest, OneThatHangsIsKilled) {
  const auto output = run_program(
      {"/bin/sh", "-c", "exec sleep 600"}, environment_, std::chrono::milliseconds(100));
  ASSERT_FALSE(output.has_value());
  EXPECT_NE(output.error().detail().find("it takes too long"), std::string::npos);
}

// --- metadata

class MetadataTest : public ::testing::Test {
 protected:
  static HttpResponse plain(int status, std::string body) {
    HttpResponse response;
    response.status = status;
    response.body = std::move(body);
    return response;
  }
  static constexpr const char* kAnswer =
      R"({"Code":"Success","AccessKeyId":"AK","SecretAccessKey":"S","Token":"T",)"
      R"("Expiration":"2027-01-15T09:00:00Z"})";

  test::FakeTransport transport_;
  MetadataSettings settings_;
};

TEST_F(MetadataTest, AnInstanceIsAskedWithATokenAndAroundProxies) {
  transport_.then(plain(200, "token")).then(plain(200, "the-role\n")).then(plain(200, kAnswer));
  const Credentials credentials = InstanceCredentials(transport_, settings_).fetch().value();
  EXPECT_EQ(credentials.access_key_id, "AK");
  EXPECT_EQ(token_of(credentials), "T");
  ASSERT_EQ(transport_.requests.size(), 3U);
  EXPECT_EQ(transport_.requests[0].method, "PUT");
  EXPECT_EQ(to_string(transport_.requests[0].url), "http://169.254.169.254/latest/api/token");
  EXPECT_EQ(test::header_of(transport_.requests[0], "x-aws-ec2-metadata-token-ttl-seconds"),
            "21600");
  EXPECT_EQ(test::header_of(transport_.requests[1], "x-aws-ec2-metadata-token"), "token");
  EXPECT_EQ(transport_.requests[2].url.path, "/latest/meta-data/iam/security-credentials/the-role");
  for (const HttpRequest& request : transport_.requests) EXPECT_TRUE(request.direct);
}

TEST_F(MetadataTest, WhereNoInstanceIsNothingIsMissed) {
  settings_.attempts = 2;
  transport_.then(ErrorCode::AwsUnreachable).then(ErrorCode::AwsUnreachable);
  EXPECT_EQ(InstanceCredentials(transport_, settings_).fetch().error().code(),
            ErrorCode::AwsCredentialsMissing);
  EXPECT_EQ(transport_.requests.size(), 2U);
  settings_.is_disabled = true;
  EXPECT_EQ(InstanceCredentials(transport_, settings_).fetch().error().code(),
            ErrorCode::AwsCredentialsMissing);
  EXPECT_EQ(transport_.requests.size(), 2U);
}

TEST_F(MetadataTest, AnInstanceThatAnswersBadlyIsAFailure) {
  const std::string refused = R"({"Code":"AssumeRoleUnauthorizedAccess","Message":"no trust"})";
  transport_.then(plain(200, "token")).then(plain(200, "role")).then(plain(200, refused));
  const auto credentials = InstanceCredentials(transport_, settings_).fetch();
  EXPECT_EQ(credentials.error().code(), ErrorCode::AwsCredentialsFailed);
  EXPECT_NE(credentials.error().detail().find("no trust"), std::string::npos);
  transport_.then(plain(403, ""));
  EXPECT_EQ(InstanceCredentials(transport_, settings_).fetch().error().code(),
            ErrorCode::AwsCredentialsFailed);
}

TEST_F(MetadataTest, AContainerIsAskedWithTheTokenOfItsFile) {
  const TempDir dir;
  const std::string file = (dir.path() / "token").string();
  std::ofstream(file) << "Bearer 1\n";
  const Environment environment(
      Variables{{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/x"},
                {"AWS_CONTAINER_AUTHORIZATION_TOKEN", "unused"},
                {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file}});
  ASSERT_TRUE(ContainerCredentials::is_set_up(environment));
  transport_.then(plain(200, kAnswer)).then(plain(200, kAnswer)).then(plain(500, ""));
  ContainerCredentials provider(transport_, environment);
  EXPECT_EQ(provider.fetch().value().access_key_id, "AK");
  EXPECT_EQ(to_string(transport_.requests[0].url), "http://169.254.170.2/v2/credentials/x");
  EXPECT_EQ(test::header_of(transport_.requests[0], "authorization"), "Bearer 1");
  std::ofstream(file) << "Bearer 2";
  ASSERT_TRUE(provider.fetch().has_value());
  EXPECT_EQ(test::header_of(transport_.requests[1], "authorization"), "Bearer 2");
  EXPECT_EQ(provider.fetch().error().code(), ErrorCode::AwsCredentialsFailed);
  std::ofstream(file) << "two\r\nX-Evil: lines";
  EXPECT_EQ(provider.fetch().error().code(), ErrorCode::AwsCredentialsFailed);
  EXPECT_EQ(transport_.requests.size(), 3U);
}

TEST_F(MetadataTest, ATokenGoesOverPlainHttpToFewHostsOnly) {
  const auto code = [&](const std::string& url) {
    const Environment environment(Variables{{"AWS_CONTAINER_CREDENTIALS_FULL_URI", url}});
    transport_.then(plain(200, kAnswer));
    const auto credentials = ContainerCredentials(transport_, environment).fetch();
    return credentials.has_value() ? std::string("sent") : std::string("refused");
  };
  EXPECT_EQ(code("http://169.254.170.23/v1/credentials"), "sent");
  EXPECT_EQ(code("http://[fd00:ec2::23]/v1/credentials"), "sent");
  EXPECT_EQ(code("http://localhost:1234/"), "sent");
  EXPECT_EQ(code("https://credentials.example/"), "sent");
  EXPECT_EQ(code("http://credentials.example/"), "refused");
}

// --- roles

constexpr const char* kStsAnswer =
    "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>"
    "<AssumedRoleUser><Arn>arn:x</Arn></AssumedRoleUser><Credentials><AccessKeyId>ASIA</"
    "AccessKeyId>"
    "<SecretAccessKey>S</SecretAccessKey><SessionToken>T+/=</SessionToken>"
    "<Expiration>2027-01-15T09:00:00Z</Expiration></Credentials></AssumeRoleResult>"
    "</AssumeRoleResponse>";

TEST(AssumeRoleCredentials, AreSignedForWithTheOnesBelow) {
  test::World world;
  world.transport.then(test::answer(200, kStsAnswer));
  AssumeRoleCredentials provider(
      {"arn:aws:iam::1:role/x", "session", "ext/1", std::chrono::seconds(900)},
      world.parts(),
      test::endpoint_of(Service::Sts));
  const Credentials credentials = provider.fetch().value();
  EXPECT_EQ(credentials.access_key_id, "ASIA");
  EXPECT_EQ(token_of(credentials), "T+/=");
  EXPECT_EQ(credentials.expires_at, test::kNow + std::chrono::hours(1));
  const HttpRequest& request = world.transport.requests.at(0);
  EXPECT_EQ(request.body,
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fx"
            "&RoleSessionName=session&DurationSeconds=900&ExternalId=ext%2F1");
  EXPECT_EQ(to_string(request.url), "https://sts.eu-west-1.amazonaws.com/");
  EXPECT_NE(test::header_of(request, "authorization").find("AKID1/20270115/eu-west-1/sts"),
            std::string::npos);
}

TEST(AssumeRoleCredentials, SayWhyTheyAreRefused) {
  test::World world;
  world.transport.then(
      test::answer(403,
                   "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not trusted</Message>"
                   "</Error></ErrorResponse>"));
  AssumeRoleCredentials provider(
      {"arn:r", "s", "", {}}, world.parts(), test::endpoint_of(Service::Sts));
  const auto credentials = provider.fetch();
  EXPECT_EQ(credentials.error().code(), ErrorCode::AwsDenied);
  EXPECT_NE(credentials.error().detail().find("not trusted"), std::string::npos);
  world.transport.then(test::answer(200, "<AssumeRoleResponse/>"));
  EXPECT_EQ(provider.fetch().error().code(), ErrorCode::AwsAnswerUnreadable);
}

TEST(WebIdentityCredentials, CarryTheTokenAndNoSignature) {
  const TempDir dir;
  const auto file = dir.path() / "token";
  test::World world;
  ClientParts parts = world.parts();
  parts.authenticator = std::make_shared<NoAuthenticator>();
  WebIdentityCredentials provider(
      {"arn:r", "s", "", {}}, file, parts, test::endpoint_of(Service::Sts));
  EXPECT_EQ(provider.fetch().error().code(), ErrorCode::AwsCredentialsFailed);
  std::ofstream(file) << "ey.J0.k\n";
  world.transport.then(test::answer(200, kStsAnswer));
  EXPECT_EQ(provider.fetch().value().access_key_id, "ASIA");
  EXPECT_NE(world.transport.requests.at(0).body.find("&WebIdentityToken=ey.J0.k"),
            std::string::npos);
  EXPECT_EQ(test::header_of(world.transport.requests.at(0), "authorization"), "");
}

TEST(StsClient, KnowsTheCaller) {
  test::World world;
  world.transport.then(
      test::answer(200,
                   "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::"
                   "123456789012:user/a</Arn>"
                   "<UserId>AIDA</UserId><Account>123456789012</Account></GetCallerIdentityResult>"
                   "</GetCallerIdentityResponse>"));
  StsClient sts(world.parts(), test::endpoint_of(Service::Sts));
  const CallerIdentity identity = sts.caller_identity().value();
  EXPECT_EQ(identity.account, "123456789012");
  EXPECT_EQ(identity.arn, "arn:aws:iam::123456789012:user/a");
  EXPECT_EQ(identity.user_id, "AIDA");
}

}  // namespace
}  // namespace linesign::aws
