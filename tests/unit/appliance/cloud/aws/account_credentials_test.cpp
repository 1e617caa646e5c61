#include "appliance/cloud/aws/account_credentials.h"

#include <gtest/gtest.h>

#include "appliance/cloud/aws/iot_client.h"
#include "tests/unit/appliance/cloud/aws/fakes.h"

namespace linesign::aws {
namespace {

HttpResponse identity_answer(const std::string& account) {
  return test::answer(200,
                      "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::" +
                          account + ":user/a</Arn><UserId>AIDA</UserId><Account>" + account +
                          "</Account></GetCallerIdentityResult></GetCallerIdentityResponse>");
}

class AccountCredentialsTest : public testing::Test {
 protected:
  AccountCredentialsTest() {
    auto base = std::make_unique<test::FakeProvider>(world_.time);
    base_ = base.get();
    provider_ = std::make_unique<AccountCredentials>(
        std::move(base), "111122223333", world_.parts(), test::endpoint_of(Service::Sts));
  }

  test::World world_;
  test::FakeProvider* base_ = nullptr;  // inside the provider
  std::unique_ptr<AccountCredentials> provider_;
};

TEST_F(AccountCredentialsTest, EachKeyIsAskedWhoseItIsAndSpeaksForItself) {
  world_.transport.then(identity_answer("111122223333")).then(identity_answer("111122223333"));
  EXPECT_EQ(provider_->fetch().value().access_key_id, "AKID1");
  EXPECT_EQ(provider_->fetch().value().access_key_id, "AKID2");
  ASSERT_EQ(world_.transport.requests.size(), 2U);
  EXPECT_NE(test::header_of(world_.transport.requests[1], "authorization").find("=AKID2/"),
            std::string::npos);
}

TEST_F(AccountCredentialsTest, AKeyThatIsKnownIsNotAskedAgain) {
  base_->keeps_key = true;
  world_.transport.then(identity_answer("111122223333"));
  EXPECT_TRUE(provider_->fetch().has_value());
  EXPECT_TRUE(provider_->fetch().has_value());
  EXPECT_EQ(world_.transport.requests.size(), 1U);
}

TEST_F(AccountCredentialsTest, AKeyOfAnotherAccountIsNotGivenOut) {
  world_.transport.then(identity_answer("111122223333"))
      .then(identity_answer("999988887777"))
      .then(identity_answer("999988887777"));
  EXPECT_TRUE(provider_->fetch().has_value());
  for (int i = 0; i < 2; ++i) {
    const Error refused = provider_->fetch().error();
    EXPECT_EQ(refused.code(), ErrorCode::AwsSettings);
    EXPECT_EQ(refused.detail(),
              "the credentials (arn:aws:iam::999988887777:user/a) belong to account 999988887777, "
              "the target is 111122223333");
  }
}

TEST_F(AccountCredentialsTest, AKeyOfWhichAwsDoesNotSayWhoseItIsIsNotGivenOut) {
  for (int i = 0; i < 3; ++i) world_.transport.then(ErrorCode::AwsUnreachable);
  EXPECT_EQ(provider_->fetch().error().code(), ErrorCode::AwsUnreachable);
}

// The plant's engineer puts the wrong keys into the file, and the old ones end.
TEST_F(AccountCredentialsTest, KeysOfAnotherAccountThatReplaceTheRightOnesSignNoCall) {
  const auto cache = std::make_shared<CredentialCache>(std::move(provider_), world_.time);
  ClientParts parts = world_.parts();
  parts.authenticator = std::make_shared<KeyAuthenticator>(cache);
  world_.transport.then(identity_answer("111122223333"))
      .then(test::refusal(403, "ExpiredTokenException"))
      .then(identity_answer("999988887777"));
  IotClient iot(parts, test::endpoint_of(Service::Iot));
  EXPECT_EQ(iot.describe_endpoint("iot:Data-ATS").error().code(), ErrorCode::AwsSettings);
  EXPECT_EQ(world_.transport.requests.size(), 3U);
}

}  // namespace
}  // namespace linesign::aws
