// Preflight and the template of just-in-time provisioning, against the double of AWS.
#include "appliance/cloud/registration/preflight.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "appliance/cloud/registration/preflight_ca.h"
#include "appliance/cloud/registration/preflight_quotas.h"
#include "appliance/cloud/registration/preflight_things.h"
#include "appliance/cloud/registration/target_setup.h"
#include "tests/support/aws_connection.h"
#include "tests/support/software_ca.h"

namespace linesign {
namespace {

using test::AwsDouble;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kGoodBulk =
    R"({"Parameters":{"ThingName":{"Type":"String"},"CertificatePem":{"Type":"String"}},)"
    R"("Resources":{"thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Ref":"ThingName"},)"
    R"("ThingTypeName":"device","ThingGroups":["line"]},"OverrideSettings":{"ThingTypeName":"REPLACE"}},)"
    R"("policy":{"Type":"AWS::IoT::Policy","Properties":{"PolicyName":"device"}},)"
    R"("certificate":{"Type":"AWS::IoT::Certificate","Properties":{"CertificatePem":)"
    R"({"Ref":"CertificatePem"},"Status":"ACTIVE"},"OverrideSettings":{"Status":"DO_NOTHING"}}}})";

constexpr const char* kGoodJit =
    R"({"Parameters":{"AWS::IoT::Certificate::CommonName":{"Type":"String"},)"
    R"("AWS::IoT::Certificate::Organization":{"Type":"String"},)"
    R"("AWS::IoT::Certificate::Id":{"Type":"String"}},)"
    R"("Resources":{"thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":)"
    R"({"Ref":"AWS::IoT::Certificate::CommonName"}},"OverrideSettings":{"ThingTypeName":"REPLACE"}},)"
    R"("certificate":{"Type":"AWS::IoT::Certificate","Properties":{"CertificateId":)"
    R"({"Ref":"AWS::IoT::Certificate::Id"},"Status":"ACTIVE"},)"
    R"("OverrideSettings":{"Status":"DO_NOTHING"}}}})";

AwsDouble& preflight_double() {
  static AwsDouble process;
  return process;
}

class PreflightTest : public testing::Test {
 protected:
  PreflightTest()
      : ca_(spec(nullptr)), connection_(test::connect(aws_, {limiter_, clock_, pause_})) {
    setup_.name = "plant";
    setup_.account = AwsDouble::kAccount;
    setup_.region = AwsDouble::kRegion;
    setup_.ca = wish_for(ca_.certificate());
    setup_.profile = Profile();
    setup_.profile->subject_fields = {{"O", "Example"}};
    setup_.bulk.account = setup_.account;
    setup_.bulk.bucket = "manifests";
    setup_.bulk.prefix = "linesign/";
    setup_.bulk.role_arn = fmt::format("arn:aws:iam::{}:role/bulk", AwsDouble::kAccount);
    setup_.bulk.template_body = kGoodBulk;
    setup_.bulk.parameters = {{"ThingName", "{device_id}"},
                              {"CertificatePem", "{certificate_pem}"}};
    setup_.direct.thing_type = "device";
    setup_.direct.policy = "device";
  }
  ~PreflightTest() override { aws_.reset(); }

  static test::CaSpec spec(EVP_PKEY* key) {
    test::CaSpec made;
    made.not_before = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()) -
                      std::chrono::hours(1);
    made.key = key;
    return made;
  }
  void make_account() {
    aws_.control(
        "make",
        fmt::format(R"({{"account":"{}","region":"{}","policies":{{"device":)"
                    R"("{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",)"
                    R"(\"Action\":\"iot:Connect\",\"Resource\":\"*\"}}]}}"}},)"
                    R"("thing_types":["device"],"thing_groups":["line"]}})",
                    AwsDouble::kAccount,
                    AwsDouble::kRegion));
  }
  Result<CaOutcome> register_ca() {
    auto iot = connection_->session().iot();
    return CaRegistrar(*iot).ensure(setup_.ca, "");
  }
  void use_jit(const std::string& name, const std::string& body) {
    setup_.way = WayKind::Jit;
    setup_.ca.auto_registration = true;
    setup_.ca.config = {name, body, setup_.bulk.role_arn};
  }
  std::string problems() {
    std::string text;
    for (const PreflightFinding& each : preflight(setup_, *connection_))
      if (each.severity == PreflightFinding::Severity::Problem) text += each.text + "\n";
    return text;
  }
  std::string everything() {
    std::string text;
    for (const PreflightFinding& each : preflight(setup_, *connection_)) text += each.text + "\n";
    return text;
  }

  AwsDouble& aws_ = preflight_double();
  SystemClock clock_;
  aws::StoppablePause pause_;
  aws::RateLimiter limiter_{clock_};
  test::SoftwareCa ca_;
  std::unique_ptr<TargetConnection> connection_;
  TargetSetup setup_;
};

TEST_F(PreflightTest, AnAccountThatIsReadyHasNoProblemOnAnyWay) {
  make_account();
  ASSERT_TRUE(register_ca().has_value());
  EXPECT_EQ(problems(), "");
  setup_.way = WayKind::Bulk;
  EXPECT_EQ(problems(), "");
  use_jit("", kGoodJit);
  const auto registered = register_ca();
  ASSERT_TRUE(registered.has_value()) << registered.error().to_string();
  EXPECT_EQ(problems(), "");
  for (const PreflightFinding& each : preflight(setup_, *connection_))
    EXPECT_THAT(each.text, Not(HasSubstr("\n")));
}

TEST_F(PreflightTest, WhatIsMissingIsNamed) {
  ASSERT_TRUE(register_ca().has_value());
  setup_.way = WayKind::Bulk;
  setup_.bulk.bucket = "no-such-bucket";
  setup_.bulk.role_arn = "arn:aws:iam::444455556666:role/bulk";
  const std::string text = problems();
  EXPECT_THAT(text, HasSubstr("Thing type device is not there"));
  EXPECT_THAT(text, HasSubstr("Thing group line is not there"));
  EXPECT_THAT(text, HasSubstr("Policy device is not there"));
  EXPECT_THAT(text, HasSubstr("Bucket no-such-bucket"));
  EXPECT_THAT(text, HasSubstr("is no role of account"));
}

TEST_F(PreflightTest, ALookThatIsDeniedIsAWarningThatNamesThePermission) {
  make_account();
  ASSERT_TRUE(register_ca().has_value());
  setup_.direct.thing_group = "line";
  for (const char* operation : {"GetPolicy", "DescribeThingType", "DescribeThingGroup"})
    aws_.control("faults",
                 fmt::format(R"({{"operation":"{}","do":"error","times":null,"status":403,)"
                             R"("code":"AccessDeniedException","message":"not yours"}})",
                             operation));
  EXPECT_EQ(problems(), "");
  const std::string text = everything();
  EXPECT_THAT(text, HasSubstr("Policy device is not checked: the credentials lack iot:GetPolicy."));
  EXPECT_THAT(text, HasSubstr("lack iot:DescribeThingType"));
  EXPECT_THAT(text, HasSubstr("lack iot:DescribeThingGroup"));
}

TEST_F(PreflightTest, AnotherCaOfTheSameSubjectMustBeToldApart) {
  make_account();
  const EvpKey key = test::make_key(KeyType::EcP256);
  const test::SoftwareCa other(spec(key.get()));
  auto iot = connection_->session().iot();
  ASSERT_TRUE(CaRegistrar(*iot).ensure(wish_for(other.certificate()), "").has_value());
  ASSERT_TRUE(register_ca().has_value());
  EXPECT_THAT(problems(), HasSubstr("set send_ca_certificate = true"));
  setup_.direct.send_ca = true;
  EXPECT_EQ(problems(), "");
  setup_.way = WayKind::Bulk;
  EXPECT_THAT(problems(), HasSubstr("CACertificatePem"));
}

TEST_F(PreflightTest, AFormerCaOfDevicesStillToComeMustBeRegistered) {
  make_account();
  ASSERT_TRUE(register_ca().has_value());
  test::CaSpec former_spec = spec(nullptr);
  former_spec.subject = {{"CN", "Former Device CA"}};
  const test::SoftwareCa former(former_spec);
  setup_.former_cas = {{wish_for(former.certificate()), 3}};
  const std::string& id = setup_.former_cas.front().wish.id;
  EXPECT_THAT(
      problems(),
      HasSubstr(fmt::format("The former CA {}, which signed 3 devices still to come, cannot "
                            "be used",
                            id)));
  EXPECT_THAT(problems(), HasSubstr("register-ca --target plant --ca " + id));
  auto iot = connection_->session().iot();
  ASSERT_TRUE(CaRegistrar(*iot).ensure(setup_.former_cas.front().wish, "").has_value());
  EXPECT_EQ(problems(), "");
  EXPECT_THAT(everything(), HasSubstr("keep it until they are registered"));
}

TEST_F(PreflightTest, AnotherCertificateOfTheSameKeyIsRefused) {
  const test::SoftwareCa same_key(spec(ca_.key()));
  ASSERT_NE(same_key.der(), ca_.der());
  auto iot = connection_->session().iot();
  ASSERT_TRUE(register_ca().has_value());
  ASSERT_TRUE(CaRegistrar(*iot).ensure(wish_for(same_key.certificate()), "").has_value());
  EXPECT_THAT(problems(), HasSubstr("with the same key"));
}

TEST_F(PreflightTest, TheEleventhCaOfASubjectIsRefusedBeforeItIsTried) {
  auto iot = connection_->session().iot();
  for (int i = 0; i < 10; ++i) {
    const EvpKey key = test::make_key(KeyType::EcP256);
    const test::SoftwareCa other(spec(key.get()));
    ASSERT_TRUE(CaRegistrar(*iot).ensure(wish_for(other.certificate()), "").has_value());
  }
  EXPECT_THAT(problems(), HasSubstr("AWS allows 10"));
}

TEST_F(PreflightTest, ATemplateAndItsLinesMustGoTogether) {
  make_account();
  ASSERT_TRUE(register_ca().has_value());
  setup_.way = WayKind::Bulk;
  setup_.bulk.parameters.erase("ThingName");
  EXPECT_THAT(problems(), HasSubstr("No line gives the template's parameter ThingName"));
  setup_.bulk.parameters["Batch"] = "7";
  EXPECT_THAT(problems(), HasSubstr("declares no parameter Batch"));
  setup_.bulk.template_body = kGoodJit;
  EXPECT_THAT(problems(), HasSubstr("must be CertificatePem"));
  setup_.bulk.template_body = "{";
  EXPECT_THAT(problems(), HasSubstr("no JSON object"));
}

TEST_F(PreflightTest, APolicyOfAnotherAccountOrRegionIsTold) {
  ASSERT_TRUE(register_ca().has_value());
  const auto check = [this](const std::string& resource) {
    PreflightFindings findings;
    check_policy_document(
        setup_,
        "Policy device",
        R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect",)"
        R"("Resource":)" +
            resource + "}]}",
        findings);
    const auto found = findings.take();
    return found.empty() ? std::string() : found.front().text;
  };
  const auto arn = [](const std::string& region, const std::string& account) {
    return fmt::format(
        R"("arn:aws:iot:{}:{}:client/${{iot:Connection.Thing.ThingName}}")", region, account);
  };
  const std::string here = arn(AwsDouble::kRegion, AwsDouble::kAccount);
  EXPECT_EQ(check(here), "");
  EXPECT_EQ(check(R"("*")"), "");
  EXPECT_EQ(check(arn("*", AwsDouble::kAccount)), "");
  const std::string other = arn(AwsDouble::kRegion, "999999999999");
  EXPECT_THAT(check(other), HasSubstr("999999999999"));
  EXPECT_THAT(check(arn("ap-south-1", AwsDouble::kAccount)), HasSubstr("ap-south-1"));
  EXPECT_EQ(check("[" + other + "," + here + "]"), "") << "one policy for several accounts";
  make_account();
  aws_.control("make",
               fmt::format(R"({{"account":"{}","region":"{}","policies":{{"elsewhere":)"
                           R"("{{\"Version\":\"2012-10-17\",\"Statement\":{{\"Effect\":\"Allow\",)"
                           R"(\"Action\":\"iot:Connect\",\"Resource\":)"
                           R"(\"arn:aws:iot:eu-west-1:999999999999:client/x\"}}}}"}}}})",
                           AwsDouble::kAccount,
                           AwsDouble::kRegion));
  setup_.direct.policy = "elsewhere";
  EXPECT_THAT(problems(), HasSubstr("Policy elsewhere allows arn:aws:iot:eu-west-1:999999999999"));
}

TEST_F(PreflightTest, SaysWhichDeviceIdsCanBeNoThingsAndWhatAStationCouldTakeOver) {
  make_account();
  ASSERT_TRUE(register_ca().has_value());
  setup_.thing_name = "{device_id}";
  EXPECT_EQ(problems(), "");
  EXPECT_THAT(everything(), HasSubstr("A device id may have '.'"));
  setup_.direct.existing_things = ExistingThings::Adopt;
  EXPECT_THAT(everything(), HasSubstr("a station can take over every thing"));
  setup_.direct.thing_name_prefix = "line7-";
  EXPECT_THAT(everything(), Not(HasSubstr("take over")));
  EXPECT_THAT(everything(), HasSubstr("Things begin with line7-"));
}

TEST_F(PreflightTest, APermissionToSeeWhoseAThingIsMustBeThere) {
  make_account();
  ASSERT_TRUE(register_ca().has_value());
  aws_.control("faults",
               R"({"operation":"ListThingPrincipals","do":"error","times":null,"status":403,)"
               R"("code":"ForbiddenException"})");
  EXPECT_THAT(problems(), HasSubstr("The credentials lack iot:ListThingPrincipals"));
}

TEST_F(PreflightTest, ABulkTaskThatRunsIsTold) {
  make_account();
  ASSERT_TRUE(register_ca().has_value());
  setup_.way = WayKind::Bulk;
  aws_.control(
      "foreign-task",
      fmt::format(R"({{"account":"{}","region":"{}"}})", AwsDouble::kAccount, AwsDouble::kRegion));
  EXPECT_THAT(everything(), HasSubstr("A bulk task runs"));
  EXPECT_EQ(problems(), "");
}

TEST_F(PreflightTest, JitWantsWhatTheSubjectsHave) {
  use_jit("", kGoodJit);
  ASSERT_TRUE(register_ca().has_value());
  setup_.profile->subject_fields.clear();
  EXPECT_THAT(problems(), HasSubstr("put O=... into [profile] subject_fields"));
  setup_.profile->subject_source = SubjectSource::Csr;
  EXPECT_EQ(problems(), "");
  EXPECT_THAT(everything(), HasSubstr("every station must set it"));
  setup_.ca.config.template_body = kGoodBulk;
  const std::string text = problems();
  EXPECT_THAT(text, HasSubstr("ThingName is none that just-in-time provisioning knows"));
  EXPECT_THAT(text, HasSubstr("AWS::IoT::Certificate::Id"));
}

TEST_F(PreflightTest, TheTemplateOfJitIsMadeOnceAndThenCompared) {
  use_jit("first-contact", kGoodJit);
  const auto first = register_ca();
  ASSERT_TRUE(first.has_value()) << first.error().to_string();
  EXPECT_THAT(first->done, testing::Contains(HasSubstr("made the provisioning template")));
  EXPECT_EQ(first->now.config.template_name, "first-contact");
  const auto second = register_ca();
  ASSERT_TRUE(second.has_value()) << second.error().to_string();
  EXPECT_TRUE(second->done.empty());
  EXPECT_EQ(problems(), "");
  setup_.ca.config.template_body = std::string(" ") + kGoodJit;  // the same to AWS
  EXPECT_TRUE(register_ca().has_value());
  setup_.ca.config.template_body.replace(setup_.ca.config.template_body.find("REPLACE"), 7, "FAIL");
  EXPECT_EQ(register_ca().error().code(), ErrorCode::AwsConflict);
  EXPECT_THAT(problems(), HasSubstr("is another one than in template_file"));
}

TEST_F(PreflightTest, AnAnswerThatIsLostMakesNoSecondTemplate) {
  use_jit("first-contact", kGoodJit);
  aws_.control("faults", R"({"operation":"CreateProvisioningTemplate","do":"lose_reply"})");
  const auto registered = register_ca();
  EXPECT_TRUE(registered.has_value()) << registered.error().to_string();
}

TEST_F(PreflightTest, ATemplateThatIsOnlyNamedMustBeThere) {
  use_jit("first-contact", "");
  EXPECT_EQ(register_ca().error().code(), ErrorCode::AwsNotFound);
  EXPECT_THAT(problems(), HasSubstr("first-contact is not there"));
}

TEST_F(PreflightTest, DevicesThatAwsWouldRefuseAreToldBeforeTheyAreMade) {
  setup_.profile->backdate = std::chrono::seconds(0);
  EXPECT_THAT(everything(), HasSubstr("backdate is below 1m"));
  test::CaSpec old = spec(nullptr);
  old.not_before -= std::chrono::days(10);
  old.not_after = old.not_before + std::chrono::days(1);
  const test::SoftwareCa ended(old);
  setup_.ca = wish_for(ended.certificate());
  EXPECT_THAT(problems(), HasSubstr("has ended"));
}

TEST(PreflightForm, RefusesWhatAwsRefuses) {
  const EvpKey key = test::make_ec_key("secp256k1");
  test::CaSpec spec;
  spec.key = key.get();
  TargetSetup setup;
  setup.ca.pem = test::SoftwareCa(spec).pem();
  PreflightFindings findings;
  check_certificate_forms(setup, test::kTestTime, findings);
  EXPECT_EQ(findings.problems(), 1U);
  EXPECT_THAT(findings.take().front().text, HasSubstr("secp256k1"));
}

TEST(PreflightQuotas, TheSlowestCallDecides) {
  TargetSetup setup;
  setup.region = "eu-central-1";
  setup.direct.policy = "device";
  EXPECT_EQ(pace_of(setup).limit, "RegisterCertificate");
  EXPECT_DOUBLE_EQ(pace_of(setup).per_second, 8);
  setup.quotas = {{"RegisterCertificate", 100}, {"AttachPolicy", 100}};
  EXPECT_EQ(pace_of(setup).limit, "CertificatesPerSecond");
  PreflightFindings findings;
  check_quotas(setup, findings);
  const auto told = findings.take();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_THAT(told.front().text, HasSubstr("100,000 devices take"));
  EXPECT_THAT(told.back().text, HasSubstr("have both raised"));
}

}  // namespace
}  // namespace linesign
