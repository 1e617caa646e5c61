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

TEST(SetbacksTest, TheTenthFailureThatMayPassParksAndTheyCountOnceAMinute) {
  aws::test::FakeTime time;
  Setbacks setbacks(time);
  uint32_t attempts = 0;
  for (int second = 0; second < 600; ++second) {
    setbacks.add(failing_device(7, attempts));
    for (const CloudBooking& each : setbacks.settle()) {
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

TEST(SetbacksTest, NothingIsCountedWhileNobodyGetsThrough) {
  aws::test::FakeTime time;
  Setbacks setbacks(time);
  setbacks.add(failing_device(1));
  setbacks.add(refused_device(2));
  const auto bookings = setbacks.settle_refused();
  ASSERT_EQ(bookings.size(), 1U);
  EXPECT_EQ(bookings[0].issuance_id, 2U);
  EXPECT_TRUE(setbacks.settle().empty());
}

TEST(SetbacksTest, TheLastWordAboutADeviceCounts) {
  aws::test::FakeTime time;
  Setbacks setbacks(time);
  setbacks.add(failing_device(1));
  setbacks.add(refused_device(1));
  const auto bookings = setbacks.settle();
  ASSERT_EQ(bookings.size(), 1U);
  EXPECT_EQ(bookings[0].state, RegistrationState::Parked);
}

}  // namespace
}  // namespace linesign
