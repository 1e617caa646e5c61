#include "appliance/cloud/registration/setbacks.h"

#include <gtest/gtest.h>

#include "tests/unit/appliance/cloud/aws/fakes.h"
#include "tests/unit/appliance/cloud/registration/fake_outbox.h"

namespace linesign {
namespace {

DeviceOutcome failing_device(uint64_t id, uint32_t attempts = 0) {
  DeviceOutcome outcome;
  outcome.booking.issuance_id = id;
  outcome.booking.attempts = attempts;
  outcome.hold = Error(ErrorCode::AwsDenied, "CreateThing");
  return outcome;
}

DeviceOutcome refused_device(uint64_t id) {
  return {parked(test::make_item(id), Error(ErrorCode::AwsRefused, "bad")), std::nullopt};
}

DeviceOutcome refused_device(uint64_t id, uint32_t steps, ErrorCode code) {
  DeviceOutcome outcome{parked(test::make_item(id), Error(code, "bad")), std::nullopt};
  outcome.booking.steps = steps;
  return outcome;
}

TEST(SetbacksTest, TheTenthFailureThatMayPassFailsTheDeviceAndTheyCountOnceAMinute) {
  aws::test::FakeTime time;
  Setbacks setbacks(time);
  uint32_t attempts = 0;
  for (int second = 0; second < 600; ++second) {
    EXPECT_FALSE(setbacks.add(failing_device(7, attempts)).has_value());
    for (const CloudBooking& each : setbacks.got_through(1, setbacks.now(), 0)) {
      EXPECT_EQ(each.issuance_id, 7U);
      EXPECT_EQ(each.attempts, ++attempts);
      EXPECT_EQ(each.code, static_cast<uint32_t>(ErrorCode::AwsDenied));
      EXPECT_EQ(each.reason, "CreateThing");
      EXPECT_EQ(each.state == RegistrationState::Parked, attempts == 10);
    }
    time.advance(std::chrono::seconds(1));
  }
  EXPECT_EQ(attempts, 10U);
}

TEST(SetbacksTest, NobodyIsFailedWhileNobodyGetsThrough) {
  aws::test::FakeTime time;
  Setbacks setbacks(time);
  for (int again = 0; again < 100; ++again)
    for (uint64_t id = 1; id <= 30; ++id)
      EXPECT_FALSE(setbacks.add(refused_device(id)).has_value());
}

TEST(SetbacksTest, OneThatIsRefusedAgainAfterAnotherGotThroughIsFailed) {
  aws::test::FakeTime time;
  Setbacks setbacks(time);
  EXPECT_FALSE(setbacks.add(refused_device(1)).has_value());
  EXPECT_TRUE(setbacks.got_through(2, setbacks.now(), 0).empty());
  const auto failed = setbacks.add(refused_device(1));
  ASSERT_TRUE(failed.has_value());
  EXPECT_EQ(failed->state, RegistrationState::Parked);
  EXPECT_FALSE(setbacks.add(refused_device(1)).has_value()) << "after its release it begins anew";
}

TEST(SetbacksTest, OneThatWasBegunBeforeTheRefusalProvesNothing) {
  aws::test::FakeTime time;
  Setbacks setbacks(time);
  const Setbacks::Moment before = setbacks.now();
  EXPECT_FALSE(setbacks.add(refused_device(1)).has_value());
  setbacks.got_through(2, before, 0);
  EXPECT_FALSE(setbacks.add(refused_device(1)).has_value())
      << "the fault may have begun between the two";
}

TEST(SetbacksTest, OneThatDidNotNeedTheRefusedCallProvesNothing) {
  aws::test::FakeTime time;
  Setbacks setbacks(time);
  const auto refuse = [&] {
    return setbacks.add(refused_device(1, kStepCertificate, ErrorCode::AwsRefused)).has_value();
  };
  EXPECT_FALSE(refuse());
  setbacks.got_through(2, setbacks.now(), kStepCertificate | kStepThing);
  EXPECT_FALSE(refuse());
  setbacks.got_through(3, setbacks.now(), kStepCertificate);
  EXPECT_TRUE(refuse());
}

TEST(SetbacksTest, AnotherErrorOrAnotherCallIsAnotherRefusal) {
  aws::test::FakeTime time;
  Setbacks setbacks(time);
  const auto refuse = [&](uint32_t steps, ErrorCode code) {
    const bool is_failed = setbacks.add(refused_device(1, steps, code)).has_value();
    setbacks.got_through(2, setbacks.now(), 0);
    return is_failed;
  };
  EXPECT_FALSE(refuse(0, ErrorCode::AwsRefused));
  EXPECT_FALSE(refuse(0, ErrorCode::AwsConflict));
  EXPECT_FALSE(refuse(kStepCertificate, ErrorCode::AwsConflict));
  EXPECT_TRUE(refuse(kStepCertificate, ErrorCode::AwsConflict));
}

TEST(SetbacksTest, OneThatGetsThroughIsForgotten) {
  aws::test::FakeTime time;
  Setbacks setbacks(time);
  EXPECT_FALSE(setbacks.add(refused_device(1)).has_value());
  EXPECT_FALSE(setbacks.add(failing_device(2)).has_value());
  setbacks.got_through(2, setbacks.now(), 0);
  setbacks.got_through(1, setbacks.now(), 0);
  EXPECT_FALSE(setbacks.add(refused_device(1)).has_value());
}

TEST(SetbacksTest, TheLastWordAboutADeviceCounts) {
  aws::test::FakeTime time;
  Setbacks setbacks(time);
  EXPECT_FALSE(setbacks.add(refused_device(1)).has_value());
  EXPECT_FALSE(setbacks.add(failing_device(1)).has_value());
  setbacks.got_through(2, setbacks.now(), 0);
  EXPECT_FALSE(setbacks.add(refused_device(1)).has_value());
}

}  // namespace
}  // namespace linesign
