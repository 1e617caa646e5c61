// What an operator does by hand, against the double of AWS.
#include "appliance/cloud/uploader/account_commands.h"

#include <sstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/aws_connection.h"
#include "tests/support/software_ca.h"
#include "tests/unit/appliance/cloud/registration/fake_outbox.h"

namespace linesign {
namespace {

using aws::CertificateMode;
using testing::HasSubstr;
using testing::Not;

UnixTime an_hour_ago() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()) -
         std::chrono::hours(1);
}

class AccountCommandsTest : public testing::Test {
 protected:
  AccountCommandsTest() : connection_(test::connect(aws_, {limiter_, clock_, pause_})) {
    setup_.name = "plant";
    setup_.account = test::AwsDouble::kAccount;
    setup_.region = test::AwsDouble::kRegion;
    setup_.orders = {"default"};
    setup_.ca = wish_for(ca_.certificate());
    setup_.direct.policy = "device";
  }

  AccountCommand command() { return {&setup_, connection_.get(), &outbox_, &out_}; }

  // As the HSM's key makes it, with a key in memory.
  std::string proof(const std::string& code) {
    test::CaSpec spec;
    spec.subject = {{"CN", code}};
    spec.extensions = {{"basicConstraints", "critical,CA:FALSE"}};
    spec.issuer = &ca_;
    spec.not_before = an_hour_ago();
    spec.key = device_key_.get();
    return test::SoftwareCa(spec).pem();
  }

  static test::CaSpec ca_spec() {
    test::CaSpec spec;
    spec.not_before = an_hour_ago();
    return spec;
  }

  test::AwsDouble aws_;
  SystemClock clock_;
  aws::StoppablePause pause_;
  aws::RateLimiter limiter_{clock_};
  EvpKey device_key_ = test::make_key(KeyType::EcP256);
  test::SoftwareCa ca_{ca_spec()};
  test::FakeOutbox outbox_{0};
  std::unique_ptr<TargetConnection> connection_;
  TargetSetup setup_;
  std::ostringstream out_;
};

TEST_F(AccountCommandsTest, RegistersTheCaInModeSniOnly) {
  EXPECT_EQ(register_ca(command(), "").value(), 0);
  EXPECT_THAT(out_.str(), HasSubstr("SNI_ONLY ACTIVE auto-registration DISABLE"));
}

TEST_F(AccountCommandsTest, RegistersTheCaInModeDefaultWithAProofOfItsKey) {
  setup_.ca.mode = CertificateMode::Default;
  setup_.ca.auto_registration = true;
  ASSERT_EQ(print_registration_code(command()).value(), 0);
  std::string code = out_.str();
  code.pop_back();
  ASSERT_EQ(code.size(), 64U);
  EXPECT_FALSE(register_ca(command(), "").has_value()) << "no proof";
  EXPECT_FALSE(register_ca(command(), proof(std::string(64, 'b'))).has_value()) << "another code";
  EXPECT_EQ(register_ca(command(), proof(code)).value(), 0);
  EXPECT_THAT(out_.str(), HasSubstr("DEFAULT ACTIVE auto-registration ENABLE"));
  out_.str("");
  EXPECT_EQ(print_registration_code(command()).value(), 0);
  EXPECT_EQ(out_.str(), "registered\n");
  EXPECT_EQ(register_ca(command(), "").value(), 0) << "the second time needs no proof";
}

TEST_F(AccountCommandsTest, DeactivatesAndDeletesTheCa) {
  ASSERT_TRUE(register_ca(command(), "").has_value());
  EXPECT_EQ(deactivate_ca(command()).value(), 0);
  EXPECT_EQ(delete_ca(command()).value(), 0);
  EXPECT_THAT(out_.str(), HasSubstr("deleted"));
}

TEST_F(AccountCommandsTest, CredentialsOfAnotherAccountChangeNothing) {
  connection_ = test::connect(aws_, {limiter_, clock_, pause_}, "444455556666");
  const auto refused = register_ca(command(), "");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::AwsSettings);
  EXPECT_THAT(refused.error().detail(), HasSubstr("444455556666"));
}

TEST_F(AccountCommandsTest, PreflightSaysWhatIsMissing) {
  EXPECT_EQ(print_preflight(command()).value(), 78);
  EXPECT_THAT(out_.str(), HasSubstr("register-ca --target plant"));
  EXPECT_THAT(out_.str(), HasSubstr("Policy device is not there"));
}

TEST_F(AccountCommandsTest, PreflightOfAnAccountThatIsReadyFindsNoProblem) {
  ASSERT_TRUE(register_ca(command(), "").has_value());
  setup_.direct.policy.clear();
  out_.str("");
  EXPECT_EQ(print_preflight(command()).value(), 0);
  EXPECT_THAT(out_.str(), Not(HasSubstr("problem")));
}

TEST_F(AccountCommandsTest, PreflightKnowsABulkTemplateThatDoesNotFit) {
  ASSERT_TRUE(register_ca(command(), "").has_value());
  setup_.way = WayKind::Bulk;
  setup_.bulk.bucket = "manifests";
  setup_.bulk.template_body = R"({"Parameters":{"ThingName":{"Type":"String"}}})";
  setup_.bulk.parameters = {{"ThingName", "{device_id}"}, {"Batch", "{order}"}};
  EXPECT_EQ(print_preflight(command()).value(), 78);
  EXPECT_THAT(out_.str(), HasSubstr("no parameter Batch"));
  EXPECT_THAT(out_.str(), HasSubstr("Bucket manifests is there"));
}

TEST_F(AccountCommandsTest, ReconcilingEqualSidesIsFine) {
  ASSERT_TRUE(register_ca(command(), "").has_value());
  EXPECT_EQ(print_reconciliation(command()).value(), 0);
  CloudItem missing = test::make_item(1);
  missing.state = RegistrationState::Registered;
  outbox_.items[1] = missing;
  EXPECT_EQ(print_reconciliation(command()).value(), 65);
}

}  // namespace
}  // namespace linesign
