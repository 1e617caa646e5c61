// What the outbox says of itself, and reading the ledger from one end to the other.
#include <gmock/gmock.h>

#include "tests/unit/appliance/ledger/cloud_fixture.h"

namespace linesign {
namespace {

using testing::certificate_of;
using testing::code_of;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::kNow;
using testing::kTarget;
using testing::Request;
using testing::signature_of;
using State = RegistrationState;

class CloudStatus : public testing::CloudTest {
 protected:
  uint64_t issue_at(uint64_t number, UnixTime at) {
    const uint64_t id = intend(number);
    EXPECT_TRUE(in_transaction([&] {
                  return ledger_->record_certificate(id, signature_of(number), at);
                }).has_value());
    return id;
  }
};

TEST_F(CloudStatus, CountsWhatNobodyHasClaimedYet) {
  EXPECT_EQ(status().waiting, 0U);
  EXPECT_FALSE(status().oldest_waiting_at.has_value());
  for (uint64_t number = 1; number <= 4; ++number)
    issue_at(number, kNow + std::chrono::hours(number));
  intend(5);
  EXPECT_EQ(status().waiting, 4U);
  EXPECT_EQ(status().oldest_waiting_at, kNow + std::chrono::hours(1));
  open();
  EXPECT_EQ(status().waiting, 4U);
  const auto items = claim();
  EXPECT_EQ(status().waiting, 4U);
  EXPECT_EQ(status().oldest_waiting_at, kNow + std::chrono::hours(1));
  book({registered(items[0])});
  issue_at(6, kNow + std::chrono::hours(6));
  EXPECT_EQ(status().waiting, 4U);
  EXPECT_EQ(status().registered, 1U);
  EXPECT_EQ(status().oldest_waiting_at, kNow + std::chrono::hours(2));
}

TEST_F(CloudStatus, CountsTheCertificateOfAnExpectedIntent) {
  const uint64_t id = intend(1);
  const uint64_t lost = intend(2);
  EXPECT_THAT(claimed_ids(), IsEmpty());
  EXPECT_EQ(status().waiting, 0U);
  ASSERT_TRUE(in_transaction([&] {
                return ledger_->record_certificate(
                    id, signature_of(1), kNow + std::chrono::hours(1));
              }).has_value());
  EXPECT_EQ(status().waiting, 1U);
  EXPECT_EQ(status().oldest_waiting_at, kNow + std::chrono::hours(1));
  give_up(lost);
  EXPECT_EQ(status().waiting, 1U);
  issue(3);
  EXPECT_EQ(status().waiting, 2U);
  EXPECT_EQ(claim().size(), 2U);
  EXPECT_EQ(status().waiting, 2U);
}

TEST_F(CloudStatus, CountsParkedOnesByCode) {
  for (uint64_t number = 1; number <= 5; ++number) issue(number);
  claim();
  book({booking(1, State::Parked, ErrorCode::AwsRefused),
        booking(2, State::Parked, ErrorCode::AwsRefused),
        booking(3, State::Parked, ErrorCode::AwsConflict),
        booking(4, State::HandedOver)});
  const CloudTargetStatus counts = status();
  EXPECT_EQ(counts.parked, 3U);
  EXPECT_EQ(counts.handed_over, 1U);
  EXPECT_EQ(counts.waiting, 1U);
  ASSERT_EQ(counts.parked_by_code.size(), 2U);
  EXPECT_EQ(counts.parked_by_code[0].code, static_cast<uint32_t>(ErrorCode::AwsRefused));
  EXPECT_EQ(counts.parked_by_code[0].count, 2U);
  EXPECT_EQ(counts.parked_by_code[1].count, 1U);
  ASSERT_TRUE(
      in_transaction([&] { return cloud().release(kTarget, std::nullopt, 10, kNow); }).has_value());
  EXPECT_THAT(status().parked_by_code, IsEmpty());
}

TEST_F(CloudStatus, AddsTheConfiguredTargetsUp) {
  CloudPlan plan = testing::one_target();
  plan.targets.push_back({"staging", "123456789012", "eu-west-1"});
  plan.feeds.push_back({"default", "staging"});
  set_plan(plan);
  issue_at(1, kNow + std::chrono::seconds(1));
  issue_at(2, kNow + std::chrono::seconds(2));
  const auto items = claim();
  book({registered(items[0]), booking(2, State::Parked)});
  const auto backlog = cloud().backlog();
  ASSERT_TRUE(backlog.has_value() && backlog->has_value());
  EXPECT_EQ((*backlog)->waiting, 2U);
  EXPECT_EQ((*backlog)->parked, 1U);
  EXPECT_EQ((*backlog)->oldest_waiting_at, kNow + std::chrono::seconds(1));
}

TEST_F(CloudStatus, IsAbsentWithoutTargets) {
  set_plan({});
  EXPECT_FALSE(cloud().backlog()->has_value());
}

TEST_F(CloudStatus, ListsRegistrationsInPagesAndByState) {
  for (uint64_t number = 1; number <= 5; ++number) issue(number);
  claim();
  book({booking(2, State::Parked), booking(4, State::Parked)});
  const auto ids = [&](std::optional<State> state, uint64_t after, uint32_t limit) {
    std::vector<uint64_t> found;
    const auto page = cloud().registrations(kTarget, state, after, limit);
    EXPECT_TRUE(page.has_value());
    for (const CloudRegistration& each : page->registrations) found.push_back(each.issuance_id);
    return found;
  };
  EXPECT_THAT(ids(std::nullopt, 0, 3), ElementsAre(1, 2, 3));
  EXPECT_THAT(ids(std::nullopt, 3, 3), ElementsAre(4, 5));
  EXPECT_THAT(ids(State::Parked, 0, 3), ElementsAre(2, 4));
  EXPECT_THAT(ids(State::Parked, 2, 3), ElementsAre(4));
  EXPECT_THAT(ids(State::Waiting, 0, 2), ElementsAre(1));  // and goes on from 2
  EXPECT_THAT(ids(State::Registered, 0, 5), IsEmpty());
  const auto page = cloud().registrations(kTarget, State::Registered, 0, 5);
  EXPECT_EQ(page->next_after, 5U);
  EXPECT_FALSE(page->is_end);
  EXPECT_TRUE(cloud().registrations(kTarget, State::Registered, 5, 5)->is_end);
  EXPECT_EQ(registration(2).reason, "refused");
  EXPECT_EQ(code_of(cloud().registrations("none", std::nullopt, 0, 1)),
            ErrorCode::CloudTargetUnknown);
  EXPECT_EQ(code_of(cloud().registrations(kTarget, std::nullopt, 0, 0)), ErrorCode::InputInvalid);
}

class LedgerPages : public testing::CloudTest {};

TEST_F(LedgerPages, ReadEveryCertificateInItsOrder) {
  issue(1);
  const uint64_t void_id = intend(2);
  give_up(void_id);
  issue(3);
  const uint64_t open_id = intend(4);
  issue(5);
  const auto first = cloud().certificates("default", 0, 2);
  ASSERT_TRUE(first.has_value()) << first.error().to_string();
  ASSERT_EQ(first->certificates.size(), 2U);
  EXPECT_EQ(first->certificates[0].issuance_id, 1U);
  EXPECT_EQ(first->certificates[0].device_id, "device-1");
  EXPECT_EQ(first->certificates[0].serial, Request(1).intent.serial);
  EXPECT_EQ(first->certificates[0].committed_at, kNow);
  EXPECT_EQ(first->certificates[0].certificate_der, certificate_of(1));
  EXPECT_EQ(first->certificates[1].issuance_id, 3U);
  EXPECT_EQ(first->next_after, 3U);
  EXPECT_FALSE(first->is_end);
  EXPECT_EQ(first->first_open_intent, open_id);
  const auto second = cloud().certificates("default", first->next_after, 2);
  ASSERT_EQ(second->certificates.size(), 1U);
  EXPECT_EQ(second->certificates[0].issuance_id, 5U);
  EXPECT_TRUE(second->is_end);
  complete(open_id, 4);
  EXPECT_FALSE(cloud().certificates("default", 5, 2)->first_open_intent.has_value());
  EXPECT_EQ(cloud().certificates("default", 5, 2)->next_after, 5U);
}

TEST_F(LedgerPages, NameTheCaThatSignedEachCertificate) {
  const Bytes former{0x30};
  const Bytes present{0x31};
  constexpr Sha256 kSecondProfile{0x32};
  issue(1);
  ASSERT_TRUE(in_transaction([&] {
                return ledger_->remember_profile(kSecondProfile,
                                                 "profile 2\n",
                                                 present,
                                                 testing::kAlgorithm,
                                                 kNow + std::chrono::hours(1));
              }).has_value());
  Request request(2);
  request.intent.profile_hash = kSecondProfile;
  const auto recorded = record(request);
  ASSERT_TRUE(recorded.has_value());
  complete(std::get<RecordedIntent>(*recorded).issuance_id(), 2);

  const auto page = cloud().certificates("default", 0, 10);
  ASSERT_TRUE(page.has_value());
  ASSERT_EQ(page->certificates.size(), 2U);
  EXPECT_EQ(page->certificates[0].issuer_der, former);
  EXPECT_EQ(page->certificates[1].issuer_der, present);
  EXPECT_EQ(page->newest, 2U);
  const auto items = claim();
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0].issuer_der, former);
  EXPECT_EQ(items[1].issuer_der, present);
  EXPECT_EQ(registration(2).issuer_der, present);
  const auto cas = cloud().cas();
  ASSERT_TRUE(cas.has_value()) << cas.error().to_string();
  ASSERT_EQ(cas->size(), 2U);
  EXPECT_EQ(cas->at(0).certificate_der, former);
  EXPECT_EQ(cas->at(1).certificate_der, present);
  EXPECT_EQ(cas->at(1).first_used_at, kNow + std::chrono::hours(1));
}

TEST_F(LedgerPages, LeaveOtherOrdersOutAndSayWhereToGoOn) {
  sql("INSERT INTO production_order (name, state, created_at) VALUES ('second', 1, 0)");
  open();
  for (uint64_t number = 1; number <= 4; ++number) issue(number);
  const auto page = cloud().certificates("second", 0, 3);
  ASSERT_TRUE(page.has_value());
  EXPECT_THAT(page->certificates, IsEmpty());
  EXPECT_EQ(page->next_after, 3U);
  EXPECT_FALSE(page->is_end);
  EXPECT_TRUE(cloud().certificates("second", 3, 3)->is_end);
  EXPECT_EQ(code_of(cloud().certificates("none", 0, 1)), ErrorCode::OrderUnknown);
  EXPECT_EQ(code_of(cloud().certificates("default", 0, kMaxCertificatePage + 1)),
            ErrorCode::InputInvalid);
}

}  // namespace
}  // namespace linesign
