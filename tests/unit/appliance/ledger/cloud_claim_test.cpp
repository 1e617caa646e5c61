// Targets, feeds, and how certificates come out of the outbox.
#include <gmock/gmock.h>

#include "tests/unit/appliance/ledger/cloud_fixture.h"

namespace linesign {
namespace {

using testing::certificate_of;
using testing::code_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kNow;
using testing::kTarget;
using testing::Request;
using testing::signature_of;

class CloudPlanTest : public testing::CloudTest {};
class CloudClaim : public testing::CloudTest {};

TEST_F(CloudPlanTest, MayBeSetAgainAndAgain) {
  issue(1);
  EXPECT_THAT(claimed_ids(), ElementsAre(1));
  set_plan(testing::one_target());
  open();
  set_plan(testing::one_target());
  EXPECT_THAT(claimed_ids(), ElementsAre(1));
  EXPECT_EQ(status().feeds.size(), 1U);
  EXPECT_TRUE(status().is_configured);
}

TEST_F(CloudPlanTest, RefusesANameThatWasAnotherAccountOrRegion) {
  CloudPlan moved = testing::one_target();
  moved.targets[0].account = "210987654321";
  moved.targets.push_back({"staging", "123456789012", "eu-west-1"});
  const auto account = in_transaction([&] { return cloud().set_plan(moved, kNow); });
  EXPECT_EQ(code_of(account), ErrorCode::CloudTargetMoved);
  EXPECT_THAT(account.error().detail(), HasSubstr("123456789012"));
  moved.targets[0] = {kTarget, "123456789012", "eu-west-1"};
  EXPECT_EQ(code_of(in_transaction([&] { return cloud().set_plan(moved, kNow); })),
            ErrorCode::CloudTargetMoved);
  EXPECT_EQ(cloud().status()->size(), 1U);  // and has done nothing
  EXPECT_EQ(status().target.account, "123456789012");
}

TEST_F(CloudPlanTest, RefusesWhatNoTargetIs) {
  for (const CloudTarget& target : {CloudTarget{"", "123456789012", "eu-west-1"},
                                    CloudTarget{"a b", "123456789012", "eu-west-1"},
                                    CloudTarget{std::string(65, 'a'), "123456789012", "eu-west-1"},
                                    CloudTarget{"a", "12345678901", "eu-west-1"},
                                    CloudTarget{"a", "12345678901x", "eu-west-1"},
                                    CloudTarget{"a", "123456789012", ""}}) {
    const CloudPlan plan = {.targets = {target}, .feeds = {}};
    EXPECT_EQ(code_of(in_transaction([&] { return cloud().set_plan(plan, kNow); })),
              ErrorCode::InputInvalid)
        << target.name;
  }
  CloudPlan plan = testing::one_target();
  plan.feeds = {{"default", "none"}};
  EXPECT_EQ(code_of(in_transaction([&] { return cloud().set_plan(plan, kNow); })),
            ErrorCode::CloudTargetUnknown);
  plan.feeds = {{"none", kTarget}};
  EXPECT_EQ(code_of(in_transaction([&] { return cloud().set_plan(plan, kNow); })),
            ErrorCode::OrderUnknown);
  plan.feeds = {};
  plan.targets.resize(kMaxCloudTargets + 1, plan.targets[0]);
  EXPECT_EQ(code_of(in_transaction([&] { return cloud().set_plan(plan, kNow); })),
            ErrorCode::InputInvalid);
}

TEST_F(CloudPlanTest, StopsAFeedThatIsNotNamedAnyMoreAndGoesOnWhereItWas) {
  issue(1);
  EXPECT_THAT(claimed_ids(), ElementsAre(1));
  CloudPlan plan = testing::one_target();
  plan.feeds.clear();
  set_plan(plan);
  issue(2);
  EXPECT_THAT(claimed_ids(), ElementsAre(1));  // what was taken in is not dropped
  EXPECT_EQ(status().waiting, 1U);
  set_plan(testing::one_target());
  EXPECT_THAT(claimed_ids(), ElementsAre(1, 2));
}

TEST_F(CloudPlanTest, LeavesAloneWhatAnOperatorHasSaid) {
  CloudPlan plan = testing::one_target();
  plan.targets.push_back({"staging", "123456789012", "eu-west-1"});
  set_plan(plan);
  issue(1);
  const auto set = [&](const char* target, bool is_active) {
    return in_transaction([&] { return cloud().set_feed({"default", target}, is_active, kNow); });
  };
  ASSERT_TRUE(set("staging", true).has_value());
  set_plan(plan);  // does not name it
  EXPECT_EQ(claim(10, 0, "staging").size(), 1U);
  ASSERT_TRUE(set(kTarget, false).has_value());
  set_plan(plan);  // names it
  EXPECT_THAT(claimed_ids(), IsEmpty());
  EXPECT_EQ(code_of(set("none", true)), ErrorCode::CloudTargetUnknown);
  EXPECT_EQ(code_of(in_transaction([&] {
              return cloud().set_feed({"none", kTarget}, true, kNow);
            })),
            ErrorCode::OrderUnknown);
}

TEST_F(CloudPlanTest, ForgetsNoTarget) {
  issue(1);
  EXPECT_THAT(claimed_ids(), ElementsAre(1));
  set_plan({});
  EXPECT_FALSE(status().is_configured);
  EXPECT_EQ(status().waiting, 1U);
  EXPECT_FALSE(cloud().backlog()->has_value());
}

TEST_F(CloudPlanTest, IsRefusedOutsideOfATransaction) {
  EXPECT_EQ(code_of(cloud().set_plan(testing::one_target(), kNow)), ErrorCode::Internal);
}

TEST_F(CloudClaim, GivesTheWholeItem) {
  const uint64_t id = issue(1);
  const auto items = claim();
  ASSERT_EQ(items.size(), 1U);
  EXPECT_EQ(items[0].issuance_id, id);
  EXPECT_EQ(items[0].device_id, "device-1");
  EXPECT_EQ(items[0].order_id, "default");
  EXPECT_EQ(items[0].serial, Request(1).intent.serial);
  EXPECT_EQ(items[0].certificate_der, certificate_of(1));
  EXPECT_EQ(items[0].state, RegistrationState::Waiting);
  EXPECT_EQ(items[0].steps, 0U);
  EXPECT_EQ(items[0].attempts, 0U);
  EXPECT_EQ(items[0].committed_at, kNow);
}

TEST_F(CloudClaim, KeepsTheOrderOfIssuing) {
  for (uint64_t number = 1; number <= 7; ++number) issue(number);
  EXPECT_THAT(claimed_ids(3), ElementsAre(1, 2, 3));
  EXPECT_THAT(claimed_ids(3, 3), ElementsAre(4, 5, 6));
  EXPECT_THAT(claimed_ids(3, 6), ElementsAre(7));
  EXPECT_THAT(claimed_ids(3, 7), IsEmpty());
  EXPECT_THAT(claimed_ids(), ElementsAre(1, 2, 3, 4, 5, 6, 7));  // nothing is locked
}

TEST_F(CloudClaim, GoesOnAfterARestart) {
  issue(1);
  issue(2);
  EXPECT_THAT(claimed_ids(1), ElementsAre(1));
  open();
  issue(3);
  EXPECT_THAT(claimed_ids(1, 1), ElementsAre(2));
  open();
  EXPECT_THAT(claimed_ids(), ElementsAre(1, 2, 3));
}

TEST_F(CloudClaim, SkipsVoids) {
  const uint64_t first = intend(1);
  issue(2);
  give_up(first);
  EXPECT_THAT(claimed_ids(), ElementsAre(2));
  const uint64_t last = intend(3);
  give_up(last);
  issue(4);
  EXPECT_THAT(claimed_ids(), ElementsAre(2, 4));
}

TEST_F(CloudClaim, ExpectsAnOpenIntentAndGivesItOnceItIsACertificate) {
  const uint64_t open_id = intend(1);
  issue(2);
  EXPECT_THAT(claimed_ids(), ElementsAre(2));
  EXPECT_EQ(registration(open_id).state, RegistrationState::Expected);
  open();
  EXPECT_THAT(claimed_ids(), ElementsAre(2));
  complete(open_id, 1);
  const auto items = claim();
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0].issuance_id, open_id);
  EXPECT_EQ(items[0].certificate_der, certificate_of(1));
}

TEST_F(CloudClaim, ForgetsAnExpectedIntentThatBecomesVoid) {
  const uint64_t open_id = intend(1);
  issue(2);
  EXPECT_THAT(claimed_ids(), ElementsAre(2));
  give_up(open_id);
  EXPECT_EQ(status().waiting, 1U);
  EXPECT_THAT(claimed_ids(), ElementsAre(2));
  EXPECT_EQ(cloud().registrations(kTarget, std::nullopt, 0, 10)->registrations.size(), 1U);
  EXPECT_EQ(status().waiting, 1U);
}

TEST_F(CloudClaim, IsNotHeldUpByAnIntentThatStaysOpenForEver) {
  intend(1);
  for (uint64_t number = 2; number <= 60; ++number) {
    issue(number);
    const auto items = claim(1);
    ASSERT_EQ(items.size(), 1U);
    EXPECT_EQ(items[0].issuance_id, number);
    EXPECT_EQ(book({registered(items[0])}).booked, 1U);
  }
  EXPECT_EQ(status().registered, 59U);
}

TEST_F(CloudClaim, SeesWhatItsOwnTransactionHasRecorded) {
  const Request request(1);
  ASSERT_TRUE(ledger_->begin().has_value());
  ASSERT_TRUE(ledger_->record_intent(request.intent).has_value());
  ASSERT_TRUE(cloud().claim(kTarget, 0, 10, kNow)->empty());
  ASSERT_TRUE(ledger_->record_certificate(1, signature_of(1), kNow).has_value());
  EXPECT_EQ(cloud().claim(kTarget, 0, 10, kNow)->size(), 1U);
  EXPECT_EQ(cloud().backlog()->value().waiting, 1U);
  ASSERT_TRUE(ledger_->commit().has_value());
  EXPECT_THAT(claimed_ids(), ElementsAre(1));
}

TEST_F(CloudClaim, IsForgottenWithItsTransaction) {
  issue(1);
  ASSERT_TRUE(ledger_->begin().has_value());
  ASSERT_EQ(cloud().claim(kTarget, 0, 10, kNow)->size(), 1U);
  open();  // instead of a commit
  EXPECT_EQ(cloud().registrations(kTarget, std::nullopt, 0, 10)->registrations.size(), 0U);
  EXPECT_EQ(status().waiting, 1U);
  EXPECT_THAT(claimed_ids(), ElementsAre(1));
}

TEST_F(CloudClaim, NeverTakesTheIssuingDownWithIt) {
  issue(1);
  sql("CREATE TRIGGER trouble BEFORE INSERT ON registration"
      " BEGIN SELECT raise(ABORT, 'trouble'); END");
  open();
  const Request request(2);
  ASSERT_TRUE(ledger_->begin().has_value());
  ASSERT_TRUE(ledger_->record_intent(request.intent).has_value());
  const auto claimed = cloud().claim(kTarget, 0, 10, kNow);
  EXPECT_EQ(code_of(claimed), ErrorCode::CloudRecordWrong);
  EXPECT_EQ(claimed.error().kind(), ErrorKind::Refuse);
  ASSERT_TRUE(ledger_->commit().has_value());
  open();
  EXPECT_EQ(ledger_->open_intents()->size(), 1U);
  EXPECT_EQ(number("SELECT count(*) FROM registration"), 0);
  EXPECT_EQ(number("SELECT next_issuance_id FROM cloud_feed"), 1);
}

TEST_F(CloudClaim, GivesEveryTargetEverything) {
  CloudPlan plan = testing::one_target();
  plan.targets.push_back({"staging", "123456789012", "eu-west-1"});
  plan.feeds.push_back({"default", "staging"});
  set_plan(plan);
  issue(1);
  issue(2);
  const auto items = claim();
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(book({registered(items[0]), registered(items[1])}).booked, 2U);
  EXPECT_EQ(claim(10, 0, "staging").size(), 2U);
  EXPECT_THAT(claimed_ids(), IsEmpty());
}

TEST_F(CloudClaim, TakesOnlyTheOrdersOfTheTarget) {
  sql("INSERT INTO production_order (name, state, created_at) VALUES ('second', 1, 0)");
  open();
  const auto issue_second = [&](uint64_t number) {
    Request request(number);
    request.intent.order_id = "second";
    const auto outcome = record(request);
    ASSERT_TRUE(outcome.has_value());
    complete(std::get<RecordedIntent>(*outcome).issuance_id(), number);
  };
  issue_second(1);
  issue(2);
  issue_second(3);
  EXPECT_THAT(claimed_ids(), ElementsAre(2));
  EXPECT_EQ(status().waiting, 1U);
  ASSERT_TRUE(in_transaction([&] {
                return cloud().set_feed({"second", kTarget}, true, kNow);
              }).has_value());
  EXPECT_EQ(status().waiting, 3U);
  EXPECT_THAT(claimed_ids(2), ElementsAre(1, 2));
  EXPECT_EQ(claim()[2].order_id, "second");
}

// One call looks at a bounded number of issuances; what it asks for may need several.
TEST_F(CloudClaim, GetsThroughALongStretchOfAnotherOrder) {
  sql("INSERT INTO production_order (name, state, created_at) VALUES ('second', 1, 0)");
  open();
  ASSERT_TRUE(ledger_->begin().has_value());
  for (uint64_t number = 1; number <= 5000; ++number) {
    Request request(number);
    request.intent.order_id = "second";
    ASSERT_TRUE(ledger_->record_intent(request.intent).has_value());
    ASSERT_TRUE(ledger_->record_certificate(number, signature_of(number), kNow).has_value());
  }
  ASSERT_TRUE(ledger_->commit().has_value());
  issue(5001);
  EXPECT_EQ(status().waiting, 1U);
  int calls = 1;
  while (claimed_ids().empty()) ASSERT_LT(++calls, 10);
  EXPECT_THAT(claimed_ids(), ElementsAre(5001));
}

TEST_F(CloudClaim, RefusesWhatCannotBe) {
  const auto claim_code = [&](const char* target, uint32_t limit) {
    return code_of(in_transaction([&] { return cloud().claim(target, 0, limit, kNow); }));
  };
  EXPECT_EQ(claim_code("none", 1), ErrorCode::CloudTargetUnknown);
  EXPECT_EQ(claim_code(kTarget, 0), ErrorCode::InputInvalid);
  EXPECT_EQ(claim_code(kTarget, kMaxCloudItems + 1), ErrorCode::InputInvalid);
  EXPECT_THAT(claimed_ids(1, std::numeric_limits<uint64_t>::max()), IsEmpty());
}

}  // namespace
}  // namespace linesign
