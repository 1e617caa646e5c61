#include "appliance/cloud/registration/work_round.h"

#include <atomic>
#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/appliance/cloud/registration/fake_outbox.h"

namespace linesign {
namespace {

using test::FakeOutbox;
using Work = std::function<DeviceOutcome(const CloudItem&)>;

DeviceOutcome registered(const CloudItem& item) {
  DeviceOutcome outcome;
  outcome.booking.issuance_id = item.issuance_id;
  outcome.booking.state = RegistrationState::Registered;
  return outcome;
}

RoundResult run(FakeOutbox& outbox,
                const Work& work,
                Setbacks& setbacks,
                uint64_t after = 0,
                size_t threads = 8) {
  const auto items = outbox.claim("t", after, 500).value();
  return run_round(
      outbox, "t", items, threads, [&work]() -> Result<Work> { return work; }, setbacks);
}

// Where it matters who is begun after whom.
RoundResult run_in_order(FakeOutbox& outbox,
                         const Work& work,
                         Setbacks& setbacks,
                         uint64_t after = 0) {
  return run(outbox, work, setbacks, after, 1);
}

RoundResult run(FakeOutbox& outbox, const Work& work) {
  const SystemClock clock;
  Setbacks setbacks(clock);
  return run(outbox, work, setbacks);
}

DeviceOutcome refused_by_aws(const CloudItem& item) {
  return {parked(item, Error(ErrorCode::AwsRefused, "CreateThing: bad")), std::nullopt};
}

TEST(WorkRoundTest, BooksEveryDeviceOnce) {
  FakeOutbox outbox(500);
  std::atomic<int> calls{0};
  const RoundResult result = run(outbox, [&calls](const CloudItem& item) {
    ++calls;
    return registered(item);
  });
  EXPECT_EQ(calls, 500);
  EXPECT_EQ(result.registered, 500U);
  EXPECT_EQ(outbox.booked.size(), 500U);
}

TEST(WorkRoundTest, WhileACallHangsTheOthersAreBookedAndNewOnesAreTaken) {
  FakeOutbox outbox(20);
  std::promise<void> hang;
  const std::shared_future<void> end = hang.get_future().share();
  std::atomic<size_t> booked_meanwhile{0};
  const RoundResult result = run(outbox, [&](const CloudItem& item) {
    if (item.issuance_id == 1) end.wait();
    if (item.issuance_id == 20) outbox.add(21);
    if (item.issuance_id == 21) {
      booked_meanwhile = outbox.booked_count();
      hang.set_value();
    }
    return registered(item);
  });
  EXPECT_EQ(booked_meanwhile, 19U);
  EXPECT_EQ(result.registered, 21U);
}

size_t count(const FakeOutbox& outbox, RegistrationState state) {
  size_t found = 0;
  for (const auto& [id, item] : outbox.items) found += item.state == state ? 1 : 0;
  return found;
}

TEST(WorkRoundTest, APoisonOneIsFailedWhenItIsRefusedAgainAndTheRestGoesOn) {
  FakeOutbox outbox(100);
  const SystemClock clock;
  Setbacks setbacks(clock);
  const Work work = [](const CloudItem& item) {
    return item.issuance_id % 20 == 10 ? refused_by_aws(item) : registered(item);
  };
  const RoundResult first = run_in_order(outbox, work, setbacks);
  EXPECT_EQ(first.parked, 0U);
  EXPECT_EQ(first.registered, 95U);
  EXPECT_FALSE(first.hold.has_value());
  const RoundResult second = run_in_order(outbox, work, setbacks);
  EXPECT_EQ(second.parked, 5U);
  EXPECT_FALSE(second.hold.has_value());
}

TEST(WorkRoundTest, WhatIsDoneOfARefusedDeviceIsKeptAndItGoesOnWaiting) {
  FakeOutbox outbox(2);
  const RoundResult result = run(outbox, [](const CloudItem& item) {
    DeviceOutcome outcome = refused_by_aws(item);
    outcome.booking.steps = kStepCertificate;
    return outcome;
  });
  EXPECT_EQ(result.parked, 0U);
  EXPECT_EQ(outbox.items.at(1).state, RegistrationState::Waiting);
  EXPECT_EQ(outbox.items.at(1).steps, kStepCertificate);
  EXPECT_EQ(outbox.items.at(1).attempts, 0U);
}

TEST(WorkRoundTest, AHoldStopsTheRoundAndWhatIsDoneIsBooked) {
  FakeOutbox outbox(500);
  const RoundResult result = run(outbox, [](const CloudItem& item) {
    DeviceOutcome outcome = registered(item);
    if (item.issuance_id < 50) return outcome;
    outcome.booking.state = RegistrationState::Waiting;
    outcome.hold = Error(ErrorCode::AwsUnreachable);
    return outcome;
  });
  ASSERT_TRUE(result.hold.has_value());
  EXPECT_EQ(result.registered, 49U);
  EXPECT_LE(outbox.booked.size(), 49U + 8U);
}

TEST(WorkRoundTest, ADeviceThatAwsFailsAtDoesNotStopTheOthers) {
  // Inside of AWS; by a policy that excludes its name; by a limit that its thing has reached.
  for (const ErrorCode code :
       {ErrorCode::AwsUnavailable, ErrorCode::AwsDenied, ErrorCode::AwsQuota}) {
    FakeOutbox outbox(200);
    const Work work = [code](const CloudItem& item) {
      DeviceOutcome outcome = registered(item);
      if (item.issuance_id != 1) return outcome;
      outcome.booking.state = RegistrationState::Waiting;
      outcome.hold = Error(code);
      return outcome;
    };
    const RoundResult first = run(outbox, work);
    EXPECT_EQ(first.registered, 199U);
    EXPECT_FALSE(first.hold.has_value());
    const RoundResult second = run(outbox, work);
    EXPECT_TRUE(second.hold.has_value()) << "alone it is waited for";
  }
}

TEST(WorkRoundTest, AnAwsThatFailsAtEverythingStopsTheRound) {
  FakeOutbox outbox(500);
  std::atomic<int> calls{0};
  const RoundResult result = run(outbox, [&calls](const CloudItem& item) {
    ++calls;
    DeviceOutcome outcome = registered(item);
    outcome.booking.state = RegistrationState::Waiting;
    outcome.hold = Error(ErrorCode::AwsUnavailable);
    return outcome;
  });
  EXPECT_TRUE(result.hold.has_value());
  EXPECT_LT(calls, 40);
}

TEST(WorkRoundTest, AnAwsThatRefusesEverythingStopsTheRoundAndParksNobody) {
  FakeOutbox outbox(500);
  const RoundResult result = run(outbox, refused_by_aws);
  ASSERT_TRUE(result.hold.has_value());
  EXPECT_EQ(result.hold->code(), ErrorCode::AwsRefused);
  EXPECT_EQ(result.hold->detail(), "ten devices in a row: CreateThing: bad");
  EXPECT_EQ(result.parked, 0U);
  EXPECT_TRUE(outbox.booked.empty());
}

TEST(WorkRoundTest, ThoseThatWereRefusedAreFailedWhenTheyAreRefusedAgainAfterAnother) {
  FakeOutbox outbox(100);
  const Work work = [](const CloudItem& item) {
    return item.issuance_id <= 30 ? refused_by_aws(item) : registered(item);
  };
  const SystemClock clock;
  Setbacks setbacks(clock);
  RoundResult result = run_in_order(outbox, work, setbacks);
  int rounds = 1;
  for (; result.stuck_at && rounds < 10; ++rounds)
    result = run_in_order(outbox, work, setbacks, *result.stuck_at);
  EXPECT_LE(rounds, 4);
  EXPECT_FALSE(result.hold.has_value());
  EXPECT_EQ(count(outbox, RegistrationState::Registered), 70U);
  run_in_order(outbox, work, setbacks);
  EXPECT_EQ(count(outbox, RegistrationState::Parked), 30U);
}

TEST(WorkRoundTest, AFaultOfTheSetUpFailsNobodyAtThePaceOfALineEither) {
  FakeOutbox outbox(0);
  const SystemClock clock;
  Setbacks setbacks(clock);
  for (uint64_t id = 1; id <= 30; ++id) {
    outbox.items[id] = test::make_item(id);
    const RoundResult result = run(outbox, refused_by_aws, setbacks);
    ASSERT_TRUE(result.hold.has_value()) << "blocked, not idle";
    EXPECT_EQ(result.hold->code(), ErrorCode::AwsRefused);
  }
  EXPECT_EQ(count(outbox, RegistrationState::Waiting), 30U);
  EXPECT_FALSE(run(outbox, registered, setbacks).hold.has_value());
  EXPECT_EQ(count(outbox, RegistrationState::Registered), 30U) << "after the repair";
}

TEST(WorkRoundTest, AFewThatAreRefusedWhileNobodyElseWaitsHoldAndAreNotFailed) {
  FakeOutbox outbox(3);
  const SystemClock clock;
  Setbacks setbacks(clock);
  for (int again = 0; again < 3; ++again) {
    const RoundResult result = run(outbox, refused_by_aws, setbacks);
    EXPECT_EQ(result.parked, 0U);
    ASSERT_TRUE(result.hold.has_value());
    EXPECT_THAT(result.hold->detail(), testing::ContainsRegex("device SN-[123]: CreateThing: bad"));
  }
}

TEST(WorkRoundTest, ANewProcessFailsNobodyByWhatItDoesNotKnow) {
  FakeOutbox outbox(2);
  const Work work = [](const CloudItem& item) {
    return item.issuance_id == 1 ? refused_by_aws(item) : registered(item);
  };
  EXPECT_EQ(run(outbox, work).registered, 1U);
  const RoundResult result = run(outbox, work);  // with setbacks of its own
  EXPECT_EQ(result.parked, 0U);
  EXPECT_TRUE(result.hold.has_value());
}

TEST(WorkRoundTest, ANameThatCannotBeMadeIsParkedAtOnceHoweverMany) {
  FakeOutbox outbox(200);
  const RoundResult result = run(outbox, [](const CloudItem& item) {
    return DeviceOutcome{parked(item, Error(ErrorCode::DeviceIdNotAllowed, "thing_name")),
                         std::nullopt};
  });
  EXPECT_EQ(result.parked, 200U);
}

TEST(WorkRoundTest, ABookingThatIsNotTakenIsAHold) {
  FakeOutbox outbox(10);
  const auto items = outbox.claim("t", 0, 500).value();
  outbox.failure = ErrorCode::AdminUnavailable;
  const SystemClock clock;
  Setbacks setbacks(clock);
  const RoundResult result = run_round(
      outbox, "t", items, 2, []() -> Result<Work> { return Work(registered); }, setbacks);
  ASSERT_TRUE(result.hold.has_value());
  EXPECT_EQ(result.hold->code(), ErrorCode::AdminUnavailable);
  EXPECT_EQ(result.registered, 0U);
}

}  // namespace
}  // namespace linesign
