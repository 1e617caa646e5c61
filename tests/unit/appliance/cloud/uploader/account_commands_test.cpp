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

class ChangeOfMode : public AccountCommandsTest {
 protected:
  // Registered in mode SNI_ONLY; from now on DEFAULT is wanted, and proof_ is good.
  ChangeOfMode() {
    EXPECT_EQ(register_ca(command(), "").value(), 0);
    setup_.ca.mode = CertificateMode::Default;
    setup_.ca.may_change_mode = true;
    out_.str("");
    EXPECT_EQ(print_registration_code(command()).value(), 0);
    std::string code = out_.str();
    code.pop_back();
    proof_ = proof(code);
    out_.str("");
  }
  void refuse(const std::string& operation, const std::string& more = "") {
    aws_.control("faults",
                 fmt::format(R"({{"operation":"{}","do":"error","status":403,)"
                             R"("code":"AccessDeniedException","message":"no"{}}})",
                             operation,
                             more));
  }

  std::string proof_;
};

TEST_F(ChangeOfMode, SaysEachStepAndWhatTheAccountHasThen) {
  EXPECT_EQ(register_ca(command(), proof_).value(), 0) << out_.str();
  EXPECT_EQ(out_.str(),
            fmt::format("plant: set INACTIVE\nplant: deleted\nplant: registered in mode DEFAULT\n"
                        "plant: the account has the CA {} now: DEFAULT ACTIVE auto-registration "
                        "DISABLE\n",
                        setup_.ca.id));
}

TEST_F(ChangeOfMode, KeepsAutoRegistrationThatSomebodyEnabled) {
  aws::CaUpdate update;
  update.auto_registration = true;
  ASSERT_TRUE(connection_->session().iot()->update_ca(setup_.ca.id, update).has_value());
  EXPECT_EQ(register_ca(command(), proof_).value(), 0) << out_.str();
  EXPECT_THAT(out_.str(), HasSubstr("now: DEFAULT ACTIVE auto-registration ENABLE"));
}

TEST_F(ChangeOfMode, LooksForEveryRightBeforeAnythingIsDeleted) {
  for (const char* operation :
       {"RegisterCACertificate", "DeleteCACertificate", "UpdateCACertificate"}) {
    refuse(operation);
    const auto refused = register_ca(command(), proof_);
    ASSERT_FALSE(refused.has_value()) << operation;
    EXPECT_EQ(refused.error().code(), ErrorCode::AwsDenied);
    EXPECT_THAT(out_.str(), HasSubstr("now: SNI_ONLY ACTIVE")) << operation;
    EXPECT_THAT(out_.str(), Not(HasSubstr("deleted"))) << operation;
    out_.str("");
  }
  refuse("RegisterCACertificate");
  EXPECT_THAT(register_ca(command(), proof_).error().detail(), HasSubstr("nothing was changed"));
}

TEST_F(ChangeOfMode, WantsAProofOfThePresentCodeBeforeAnythingIsDeleted) {
  aws_.control("expire-codes",
               fmt::format(R"({{"account":"{}","region":"{}"}})",
                           test::AwsDouble::kAccount,
                           test::AwsDouble::kRegion));
  for (const std::string& each : {proof_, std::string()}) {
    const auto refused = register_ca(command(), each);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), ErrorCode::AwsSettings);
    EXPECT_THAT(refused.error().detail(), HasSubstr("nothing was changed"));
  }
  EXPECT_THAT(out_.str(), HasSubstr("now: SNI_ONLY ACTIVE"));
}

TEST_F(ChangeOfMode, PutsBackWhatWasThereWhenItIsRefusedBehindTheDeletion) {
  refuse("RegisterCACertificate", R"(,"skip":1)");  // the look passes
  const auto refused = register_ca(command(), proof_);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::AwsDenied);
  EXPECT_THAT(out_.str(), HasSubstr("deleted\nplant: put back: registered in mode SNI_ONLY"));
  EXPECT_THAT(out_.str(), HasSubstr("now: SNI_ONLY ACTIVE"));
  EXPECT_EQ(register_ca(command(), proof_).value(), 0) << "and it may be tried again";
}

TEST_F(ChangeOfMode, SetsTheCaActiveAgainWhenItIsNotDeleted) {
  refuse("DeleteCACertificate", R"(,"skip":1)");
  ASSERT_FALSE(register_ca(command(), proof_).has_value());
  EXPECT_THAT(out_.str(), HasSubstr("set INACTIVE\nplant: not deleted: set ACTIVE again"));
  EXPECT_THAT(out_.str(), HasSubstr("now: SNI_ONLY ACTIVE"));
}

TEST_F(ChangeOfMode, SaysThatTheAccountIsWithoutTheCaWhereThatNeedsAProof) {
  ASSERT_EQ(register_ca(command(), proof_).value(), 0);
  setup_.ca.mode = CertificateMode::SniOnly;
  refuse("RegisterCACertificate", R"(,"skip":1)");
  out_.str("");
  ASSERT_FALSE(register_ca(command(), "").has_value());
  EXPECT_THAT(out_.str(), HasSubstr("not put back: mode DEFAULT needs a new proof"));
  EXPECT_THAT(out_.str(), HasSubstr("the account does not have the CA"));
}

TEST_F(AccountCommandsTest, ACaThatIsThereInAnotherModeDoesNotCountAsRegistered) {
  ASSERT_EQ(register_ca(command(), "").value(), 0);
  // AWS shows it a moment too late, and then says 409 with its id.
  aws_.control("faults",
               R"({"operation":"DescribeCACertificate","do":"error","status":404,)"
               R"("code":"ResourceNotFoundException","message":"not yet"})");
  setup_.ca.mode = CertificateMode::Default;
  std::ostringstream code;
  AccountCommand ask = command();
  ask.out = &code;
  ASSERT_EQ(print_registration_code(ask).value(), 0);
  const std::string good = proof(code.str().substr(0, 64));
  aws_.control("faults",
               R"({"operation":"DescribeCACertificate","do":"error","status":404,)"
               R"("code":"ResourceNotFoundException","message":"not yet"})");
  out_.str("");
  const auto refused = register_ca(command(), good);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::AwsConflict);
  EXPECT_THAT(refused.error().detail(),
              HasSubstr("registered in mode SNI_ONLY, wanted is DEFAULT"));
  EXPECT_THAT(out_.str(), HasSubstr("AWS says it is there already: arn:"));
  EXPECT_THAT(out_.str(), HasSubstr("now: SNI_ONLY ACTIVE"));
}

TEST_F(AccountCommandsTest, AutoRegistrationThatSomebodyEnabledStays) {
  ASSERT_EQ(register_ca(command(), "").value(), 0);
  auto iot = connection_->session().iot();
  aws::CaUpdate update;
  update.auto_registration = true;
  ASSERT_TRUE(iot->update_ca(setup_.ca.id, update).has_value());
  out_.str("");
  EXPECT_EQ(register_ca(command(), "").value(), 0);
  EXPECT_THAT(out_.str(), HasSubstr("nothing to do"));
  EXPECT_THAT(out_.str(), HasSubstr("auto-registration ENABLE (this target does not need it"));
}

TEST_F(AccountCommandsTest, ADeletionThatIsRefusedLeavesTheCaActive) {
  ASSERT_EQ(register_ca(command(), "").value(), 0);
  aws_.control("faults",
               R"({"operation":"DeleteCACertificate","do":"error","status":403,)"
               R"("code":"AccessDeniedException","message":"no"})");
  EXPECT_FALSE(delete_ca(command()).has_value());
  EXPECT_THAT(out_.str(), HasSubstr("now: SNI_ONLY ACTIVE"));
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
