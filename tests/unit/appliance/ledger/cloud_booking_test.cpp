// What is booked stays booked.
#include <gmock/gmock.h>

#include "tests/unit/appliance/ledger/cloud_fixture.h"

namespace linesign {
namespace {

using testing::code_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kNow;
using testing::kTarget;
using State = RegistrationState;

class CloudBook : public testing::CloudTest {
 protected:
  // Brings certificate number 1 into a state; gives its item.
  CloudItem item_in(State state) {
    issue(1);
    const auto items = claim();
    EXPECT_EQ(items.size(), 1U);
    switch (state) {
      case State::Expected:
      case State::Waiting:
        break;
      case State::Registered:
        EXPECT_EQ(book({registered(items[0])}).booked, 1U);
        break;
      case State::Parked:
      case State::HandedOver:
        EXPECT_EQ(book({booking(1, state)}).booked, 1U);
        break;
      case State::InTask: {
        const auto task =
            in_transaction([&] { return cloud().create_task(kTarget, "lot-1", kNow); });
        EXPECT_TRUE(
            in_transaction([&] { return cloud().fill_task(task->id, 1, kNow); }).has_value());
        EXPECT_TRUE(in_transaction([&] {
                      return cloud().update_task(task->id, {.state = BulkTaskState::Started}, kNow);
                    }).has_value());
        break;
      }
    }
    return items[0];
  }
};

TEST_F(CloudBook, TakesARegisteredOneOutOfTheOutboxForGood) {
  const CloudItem item = item_in(State::Registered);
  EXPECT_THAT(claimed_ids(), IsEmpty());
  open();
  EXPECT_THAT(claimed_ids(), IsEmpty());
  const CloudRegistration row = registration(1);
  EXPECT_EQ(row.state, State::Registered);
  EXPECT_EQ(row.certificate_id, sha256(item.certificate_der));
  EXPECT_EQ(row.device_id, "device-1");
  EXPECT_EQ(row.order_id, "default");
  EXPECT_EQ(row.updated_at, kNow);
}

TEST_F(CloudBook, MayBeRepeated) {
  const CloudItem item = item_in(State::Registered);
  const CloudBooked again = book({registered(item)});
  EXPECT_EQ(again.booked, 0U);
  EXPECT_EQ(again.unchanged, 1U);
  EXPECT_THAT(again.refused, IsEmpty());
  EXPECT_EQ(status().registered, 1U);
}

TEST_F(CloudBook, RefusesACertificateIdThatIsNotTheCertificates) {
  CloudItem item = item_in(State::Waiting);
  CloudBooking wrong = registered(item);
  wrong.certificate_id = testing::filled<32>(9, 9);
  CloudBooking missing = registered(item);
  missing.certificate_id = std::nullopt;
  for (const CloudBooking& each : {wrong, missing}) {
    const CloudBooked booked = book({each});
    EXPECT_EQ(booked.booked, 0U);
    ASSERT_EQ(booked.refused.size(), 1U);
    EXPECT_EQ(booked.refused[0].issuance_id, 1U);
    EXPECT_THAT(booked.refused[0].reason, HasSubstr(to_hex(sha256(item.certificate_der))));
  }
  EXPECT_THAT(claimed_ids(), ElementsAre(1));
}

TEST_F(CloudBook, RefusesOneAndBooksTheOthers) {
  issue(1);
  issue(2);
  issue(3);
  const auto items = claim(3);
  const CloudBooked booked = book({registered(items[0]),
                                   booking(3, State::Parked),
                                   booking(2, State::Expected),
                                   booking(2, State::InTask),
                                   booking(99, State::Parked),
                                   booking(2, State::Parked)});
  EXPECT_EQ(booked.booked, 3U);
  std::vector<uint64_t> refused;
  for (const CloudRefusal& each : booked.refused) refused.push_back(each.issuance_id);
  EXPECT_THAT(refused, ElementsAre(2, 2, 99));
}

TEST_F(CloudBook, RefusesAnIntentThatIsOpen) {
  const uint64_t id = intend(1);
  EXPECT_THAT(claimed_ids(), IsEmpty());
  EXPECT_EQ(book({booking(id, State::Parked)}).refused.size(), 1U);
  EXPECT_EQ(registration(id).state, State::Expected);
}

TEST_F(CloudBook, RemembersStepsAndAttempts) {
  item_in(State::Waiting);
  CloudBooking first = booking(1, State::Waiting, ErrorCode::AwsThrottled, "slow down");
  first.steps = kStepCertificate | kStepThing;
  first.attempts = 2;
  EXPECT_EQ(book({first}).booked, 1U);
  CloudBooking late = booking(1, State::Waiting, ErrorCode::AwsTimeout, "no answer");
  late.steps = kStepPrincipal;
  late.attempts = 1;
  EXPECT_EQ(book({late}).booked, 1U);
  open();
  const auto items = claim();
  ASSERT_EQ(items.size(), 1U);
  EXPECT_EQ(items[0].steps, kStepCertificate | kStepThing | kStepPrincipal);
  EXPECT_EQ(items[0].attempts, 2U);
  EXPECT_EQ(registration(1).reason, "no answer");
  EXPECT_EQ(registration(1).code, static_cast<uint32_t>(ErrorCode::AwsTimeout));
}

TEST_F(CloudBook, RefusesUnknownSteps) {
  item_in(State::Waiting);
  CloudBooking wrong = booking(1, State::Waiting);
  wrong.steps = kAllSteps + 1;
  EXPECT_EQ(book({wrong}).refused.size(), 1U);
}

TEST_F(CloudBook, CutsALongReasonBetweenCharacters) {
  item_in(State::Waiting);
  std::string reason(kMaxCloudReasonBytes - 1, 'x');
  EXPECT_EQ(book({booking(1,
                          State::Parked,
                          ErrorCode::AwsRefused,
                          reason + "\xc3\xa4"
                                   "bc")})
                .booked,
            1U);
  EXPECT_EQ(registration(1).reason, reason);
}

TEST_F(CloudBook, WantsBetweenOneAndItsLimit) {
  const std::vector<CloudBooking> many(kMaxCloudItems + 1, booking(1, State::Parked));
  EXPECT_EQ(code_of(in_transaction([&] { return cloud().book(kTarget, many, kNow); })),
            ErrorCode::InputInvalid);
  EXPECT_EQ(code_of(in_transaction([&] { return cloud().book(kTarget, {}, kNow); })),
            ErrorCode::InputInvalid);
  EXPECT_EQ(code_of(in_transaction([&] {
              return cloud().book("none", std::vector{booking(1, State::Parked)}, kNow);
            })),
            ErrorCode::CloudTargetUnknown);
}

TEST_F(CloudBook, UndoesAllOfItWhereTheCountsAreWrong) {
  issue(1);
  issue(2);
  const auto items = claim();
  sql("UPDATE registration_count SET count = 1");
  open();
  const std::vector<CloudBooking> bookings = {registered(items[0]), registered(items[1])};
  ASSERT_TRUE(ledger_->begin().has_value());
  EXPECT_EQ(code_of(cloud().book(kTarget, bookings, kNow)), ErrorCode::CloudRecordWrong);
  ASSERT_TRUE(ledger_->commit().has_value());
  EXPECT_THAT(claimed_ids(), ElementsAre(1, 2));
  issue(3);
}

struct Transition {
  State from;
  State to;
  State result;
};

class CloudTransition : public CloudBook, public ::testing::WithParamInterface<Transition> {};

TEST_P(CloudTransition, EndsWhereItShould) {
  const CloudItem item = item_in(GetParam().from);
  const CloudBooking wanted = GetParam().to == State::Registered
                                  ? registered(item)
                                  : booking(1, GetParam().to, ErrorCode::AwsConflict, "other");
  const CloudBooked booked = book({wanted});
  EXPECT_THAT(booked.refused, IsEmpty());
  EXPECT_EQ(registration(1).state, GetParam().result);
  const bool is_changed = GetParam().from != GetParam().result || GetParam().from == GetParam().to;
  const bool is_final = GetParam().from == State::Registered;
  EXPECT_EQ(booked.booked, is_changed && !is_final ? 1U : 0U);
  // And the counts follow.
  const CloudTargetStatus counts = status();
  EXPECT_EQ(
      counts.waiting + counts.registered + counts.parked + counts.handed_over + counts.in_task, 1U);
  EXPECT_EQ(number("SELECT count(*) FROM registration_count AS n WHERE n.count <> (SELECT count(*)"
                   " FROM registration AS r WHERE r.target_id = n.target_id AND r.state = n.state"
                   " AND (r.state <> 3 OR r.code = n.code))"),
            0);
}

INSTANTIATE_TEST_SUITE_P(
    Table,
    CloudTransition,
    ::testing::Values(Transition{State::Waiting, State::Waiting, State::Waiting},
                      Transition{State::Waiting, State::Registered, State::Registered},
                      Transition{State::Waiting, State::Parked, State::Parked},
                      Transition{State::Waiting, State::HandedOver, State::HandedOver},
                      Transition{State::Registered, State::Waiting, State::Registered},
                      Transition{State::Registered, State::Registered, State::Registered},
                      Transition{State::Registered, State::Parked, State::Registered},
                      Transition{State::Registered, State::HandedOver, State::Registered},
                      Transition{State::Parked, State::Waiting, State::Parked},
                      Transition{State::Parked, State::Registered, State::Registered},
                      Transition{State::Parked, State::Parked, State::Parked},
                      Transition{State::Parked, State::HandedOver, State::Parked},
                      Transition{State::HandedOver, State::Waiting, State::HandedOver},
                      Transition{State::HandedOver, State::Registered, State::Registered},
                      Transition{State::HandedOver, State::Parked, State::Parked},
                      Transition{State::HandedOver, State::HandedOver, State::HandedOver},
                      Transition{State::InTask, State::Waiting, State::Waiting},
                      Transition{State::InTask, State::Registered, State::Registered},
                      Transition{State::InTask, State::Parked, State::Parked},
                      Transition{State::InTask, State::HandedOver, State::HandedOver}));

class CloudRelease : public CloudBook {
 protected:
  uint64_t release(std::optional<uint32_t> code, uint32_t limit = kMaxCloudMoves) {
    const auto released =
        in_transaction([&] { return cloud().release(kTarget, code, limit, kNow); });
    EXPECT_TRUE(released.has_value()) << released.error().to_string();
    return released.value_or(0);
  }
};

TEST_F(CloudRelease, IsTheOnlyWayBackForAParkedOne) {
  for (uint64_t number = 1; number <= 5; ++number) issue(number);
  ASSERT_EQ(claim().size(), 5U);
  book({booking(1, State::Parked, ErrorCode::AwsRefused),
        booking(2, State::Parked, ErrorCode::AwsConflict),
        booking(3, State::Parked, ErrorCode::AwsRefused),
        booking(4, State::Parked, ErrorCode::AwsRefused)});
  EXPECT_THAT(claimed_ids(), ElementsAre(5));
  open();
  EXPECT_THAT(claimed_ids(), ElementsAre(5));
  EXPECT_EQ(release(static_cast<uint32_t>(ErrorCode::AwsRefused), 2), 2U);
  EXPECT_THAT(claimed_ids(), ElementsAre(1, 3, 5));
  EXPECT_EQ(registration(1).reason, "");
  EXPECT_EQ(registration(1).attempts, 1U);
  EXPECT_EQ(release(std::nullopt), 2U);
  EXPECT_THAT(claimed_ids(), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(release(std::nullopt), 0U);
}

TEST_F(CloudRelease, OfOneLeavesTheOthers) {
  for (uint64_t number = 1; number <= 3; ++number) issue(number);
  ASSERT_EQ(claim().size(), 3U);
  book({booking(1, State::Parked, ErrorCode::AwsRefused),
        booking(2, State::Parked, ErrorCode::AwsRefused)});
  const auto release_one = [this](uint64_t number) {
    return in_transaction([&] { return cloud().release_one(kTarget, number, kNow); }).value();
  };
  EXPECT_EQ(release_one(2), 1U);
  EXPECT_THAT(claimed_ids(), ElementsAre(2, 3));
  EXPECT_EQ(release_one(2), 0U);
  EXPECT_EQ(release_one(3), 0U) << "it waits";
  EXPECT_EQ(release_one(99), 0U);
  EXPECT_EQ(release(std::nullopt), 1U);
}

TEST_F(CloudRelease, TouchesNothingElse) {
  item_in(State::Registered);
  EXPECT_EQ(release(std::nullopt), 0U);
  EXPECT_EQ(registration(1).state, State::Registered);
  EXPECT_EQ(code_of(in_transaction(
                [&] { return cloud().release(kTarget, std::nullopt, kMaxCloudMoves + 1, kNow); })),
            ErrorCode::InputInvalid);
  EXPECT_EQ(code_of(in_transaction([&] { return cloud().release("none", std::nullopt, 1, kNow); })),
            ErrorCode::CloudTargetUnknown);
}

}  // namespace
}  // namespace linesign
