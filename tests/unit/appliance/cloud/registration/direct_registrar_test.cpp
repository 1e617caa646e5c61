#include "appliance/cloud/registration/direct_registrar.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/base/bytes.h"
#include "tests/unit/appliance/cloud/aws/fakes.h"
#include "tests/unit/appliance/cloud/registration/fake_outbox.h"

namespace linesign {
namespace {

using aws::test::answer;
using aws::test::refusal;
using aws::test::World;
using test::make_item;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kAccount = "123456789012";

class DirectRegistrarTest : public testing::Test {
 protected:
  DirectRegistrarTest() {
    plan_.account = kAccount;
    plan_.region = "eu-west-1";
    plan_.policy = "device";
    item_ = make_item(7);
    id_ = fields_of(item_).certificate_id;
  }

  aws::HttpResponse registered(const std::string& id) const {
    return answer(200,
                  fmt::format(R"({{"certificateId":"{0}","certificateArn":)"
                              R"("arn:aws:iot:eu-west-1:{1}:cert/{0}"}})",
                              id,
                              kAccount));
  }
  static aws::HttpResponse thing() {
    return answer(200, R"({"thingName":"SN-7","thingArn":"arn","thingId":"id"})");
  }
  aws::HttpResponse exists(const std::string& id) const {
    aws::HttpResponse response = refusal(409, "ResourceAlreadyExistsException");
    response.body = fmt::format(R"({{"message":"there","resourceId":"{0}","resourceArn":)"
                                R"("arn:aws:iot:eu-west-1:{1}:cert/{0}"}})",
                                id,
                                kAccount);
    return response;
  }
  aws::HttpResponse described(const std::string& status) const {
    return answer(200,
                  fmt::format(R"({{"certificateDescription":{{"certificateId":"{}",)"
                              R"("status":"{}"}}}})",
                              id_,
                              status));
  }

  DeviceOutcome run() {
    DirectRegistrar registrar(
        aws::IotClient(world_.parts(), aws::test::endpoint_of(aws::Service::Iot)), plan_);
    return registrar.run(item_);
  }
  std::vector<std::string> paths() const {
    std::vector<std::string> all;
    for (const auto& each : world_.transport.requests) all.push_back(each.url.path);
    return all;
  }

  World world_;
  DirectPlan plan_;
  CloudItem item_;
  std::string id_;
};

TEST_F(DirectRegistrarTest, TakesEveryStepInOrder) {
  world_.transport.then(registered(id_)).then(thing());
  const DeviceOutcome outcome = run();
  EXPECT_FALSE(outcome.hold.has_value());
  EXPECT_EQ(outcome.booking.state, RegistrationState::Registered);
  EXPECT_EQ(outcome.booking.steps, kStepCertificate | kStepThing | kStepPrincipal | kStepPolicy);
  ASSERT_TRUE(outcome.booking.certificate_id.has_value());
  EXPECT_EQ(to_hex(*outcome.booking.certificate_id), id_);
  EXPECT_THAT(paths(),
              ElementsAre("/certificate/register",
                          "/things/SN-7",
                          "/things/SN-7/principals",
                          "/things/SN-7/principals",
                          "/target-policies/device"));
  EXPECT_EQ(world_.transport.requests.at(2).method, "GET") << "whose is the thing?";
  EXPECT_EQ(world_.transport.requests.at(3).method, "PUT");
}

TEST_F(DirectRegistrarTest, GoesOnBehindTheStepsThatAreDone) {
  item_.steps = kStepCertificate | kStepThing;
  EXPECT_EQ(run().booking.state, RegistrationState::Registered);
  EXPECT_THAT(
      paths(),
      ElementsAre("/things/SN-7/principals", "/things/SN-7/principals", "/target-policies/device"));
}

TEST_F(DirectRegistrarTest, OneThatIsThereWithTheSameIdIsASuccess) {
  world_.transport.then(exists(id_)).then(described("ACTIVE")).then(thing());
  EXPECT_EQ(run().booking.state, RegistrationState::Registered);
}

TEST_F(DirectRegistrarTest, OneThatWaitsForActivationIsActivated) {
  world_.transport.then(exists(id_))
      .then(described("PENDING_ACTIVATION"))
      .then(answer(200, ""))
      .then(thing());
  EXPECT_EQ(run().booking.state, RegistrationState::Registered);
  EXPECT_EQ(world_.transport.requests.at(2).method, "PUT");
}

TEST_F(DirectRegistrarTest, OneThatSomebodyRevokedOrSwitchedOffIsParked) {
  for (const std::string status : {"REVOKED", "INACTIVE"}) {
    world_.transport.then(exists(id_)).then(described(status));
    const DeviceOutcome outcome = run();
    EXPECT_EQ(outcome.booking.state, RegistrationState::Parked);
    EXPECT_THAT(outcome.booking.reason, HasSubstr(status));
  }
}

TEST_F(DirectRegistrarTest, ANameThatAwsDoesNotAllowIsParkedBeforeAnythingIsRegistered) {
  plan_.thing_name = "line.{device_id}";
  const DeviceOutcome outcome = run();
  EXPECT_EQ(outcome.booking.state, RegistrationState::Parked);
  EXPECT_THAT(outcome.booking.reason, HasSubstr("line."));
  EXPECT_TRUE(world_.transport.requests.empty());
}

TEST_F(DirectRegistrarTest, AnotherIdInTheAnswerIsParkedWithBothIds) {
  const std::string other(64, 'e');
  world_.transport.then(registered(other));
  const DeviceOutcome outcome = run();
  EXPECT_EQ(outcome.booking.state, RegistrationState::Parked);
  EXPECT_THAT(outcome.booking.reason, HasSubstr(other));
  EXPECT_THAT(outcome.booking.reason, HasSubstr(id_));
  EXPECT_EQ(outcome.booking.steps, 0U);
}

TEST_F(DirectRegistrarTest, ARefusedCertificateIsParkedWhenTheCaIsAsItShouldBe) {
  world_.transport.then(refusal(400, "CertificateValidationException", "bad key"))
      .then(answer(200,
                   fmt::format(R"({{"certificateDescription":{{"certificateId":"{}",)"
                               R"("status":"ACTIVE"}}}})",
                               issuer_id(item_))));
  const DeviceOutcome outcome = run();
  EXPECT_EQ(outcome.booking.state, RegistrationState::Parked);
  EXPECT_EQ(outcome.booking.code, static_cast<uint32_t>(ErrorCode::AwsRefused));
  EXPECT_EQ(outcome.booking.attempts, 1U);
  EXPECT_THAT(outcome.booking.reason, HasSubstr("bad key"));
}

TEST_F(DirectRegistrarTest, WithoutTheCaNobodyGetsFurtherAndNobodyIsParked) {
  world_.transport.then(refusal(400, "CertificateValidationException"))
      .then(refusal(404, "ResourceNotFoundException"));
  const DeviceOutcome outcome = run();
  ASSERT_TRUE(outcome.hold.has_value());
  EXPECT_THAT(outcome.hold->detail(), HasSubstr("register-ca"));
  EXPECT_EQ(outcome.booking.state, RegistrationState::Waiting);
  EXPECT_EQ(outcome.booking.attempts, 0U);
}

TEST_F(DirectRegistrarTest, AnOutageHoldsAndKeepsTheStepsThatAreDone) {
  world_.transport.then(registered(id_)).then(thing());
  world_.transport.otherwise = [](const aws::HttpRequest&) -> Result<aws::HttpResponse> {
    return fail(ErrorCode::AwsUnreachable, "fake");
  };
  const DeviceOutcome outcome = run();
  ASSERT_TRUE(outcome.hold.has_value());
  EXPECT_EQ(outcome.booking.state, RegistrationState::Waiting);
  EXPECT_EQ(outcome.booking.steps, kStepCertificate | kStepThing);
  EXPECT_EQ(outcome.booking.attempts, 0U);
}

TEST_F(DirectRegistrarTest, WhatSomebodyDeletedMeanwhileIsMadeAgain) {
  item_.steps = kStepCertificate | kStepThing;
  world_.transport.then(refusal(404, "ResourceNotFoundException"))
      .then(registered(id_))
      .then(thing());
  EXPECT_EQ(run().booking.state, RegistrationState::Registered);
}

TEST_F(DirectRegistrarTest, AThingWithAPrincipalThatIsNoCertificateIsSomebodyElses) {
  world_.transport.then(registered(id_))
      .then(thing())
      .then(answer(200, R"({"principals":["eu-west-1:01234567-89ab-cdef-0123-456789abcdef"]})"));
  const DeviceOutcome outcome = run();
  EXPECT_EQ(outcome.booking.state, RegistrationState::Parked);
  EXPECT_EQ(outcome.booking.code, static_cast<uint32_t>(ErrorCode::AwsThingForeign));
  EXPECT_EQ(outcome.booking.steps, kStepCertificate | kStepThing);
  EXPECT_EQ(world_.transport.requests.back().method, "GET") << "nothing is attached";
}

TEST_F(DirectRegistrarTest, ANameOutsideOfThePrefixIsFailedBeforeAnythingIsRegistered) {
  plan_.thing_name_prefix = "line7-";
  const DeviceOutcome outcome = run();
  EXPECT_EQ(outcome.booking.code, static_cast<uint32_t>(ErrorCode::DeviceIdNotAllowed));
  EXPECT_THAT(outcome.booking.reason, HasSubstr("must begin with 'line7-'"));
  EXPECT_TRUE(world_.transport.requests.empty());
}

TEST_F(DirectRegistrarTest, AMissingPolicyHoldsTheTarget) {
  world_.transport.then(registered(id_))
      .then(thing())
      .then(answer(200, R"({"principals":[]})"))
      .then(answer(200, ""))
      .then(refusal(404, "ResourceNotFoundException", "policy device"));
  const DeviceOutcome outcome = run();
  ASSERT_TRUE(outcome.hold.has_value());
  EXPECT_THAT(outcome.hold->detail(), StartsWith("AttachPolicy"));
}

TEST_F(DirectRegistrarTest, ANameThatCannotBeMadeIsParkedBeforeAnyCall) {
  plan_.thing_name = "{device}";
  EXPECT_EQ(run().booking.state, RegistrationState::Parked);
  EXPECT_TRUE(world_.transport.requests.empty());
}

TEST_F(DirectRegistrarTest, OneThatWasActivatedMeanwhileIsLeftActive) {
  plan_.status = aws::CertificateStatus::Inactive;
  world_.transport.then(exists(id_)).then(described("ACTIVE")).then(thing());
  EXPECT_EQ(run().booking.state, RegistrationState::Registered);
  for (const auto& each : world_.transport.requests)
    EXPECT_EQ(each.url.query.find("newStatus"), std::string::npos);
}

TEST_F(DirectRegistrarTest, ACertificateThatIsThereAndIsNotFoundIsNoFaultOfTheSetUp) {
  world_.transport.then(exists(id_)).then(refusal(404, "ResourceNotFoundException"));
  const auto outcome = run();
  ASSERT_TRUE(outcome.hold.has_value());
  EXPECT_EQ(outcome.hold->code(), ErrorCode::AwsUnavailable) << "one device's, unless all have it";
}

}  // namespace
}  // namespace linesign
