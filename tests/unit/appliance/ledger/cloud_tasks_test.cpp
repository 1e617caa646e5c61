// Bulk tasks: what goes to AWS in one file, and comes back.
#include <gmock/gmock.h>

#include "tests/unit/appliance/ledger/cloud_fixture.h"

namespace linesign {
namespace {

using testing::code_of;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::kNow;
using testing::kTarget;
using State = RegistrationState;

class CloudTasks : public testing::CloudTest {
 protected:
  BulkTask create(const std::string& key = "linesign/lot-1.json") {
    const auto task = in_transaction([&] { return cloud().create_task(kTarget, key, kNow); });
    EXPECT_TRUE(task.has_value()) << task.error().to_string();
    return task.value_or(BulkTask());
  }
  BulkTask fill(uint64_t task_id, uint32_t lines) {
    const auto task = in_transaction([&] { return cloud().fill_task(task_id, lines, kNow); });
    EXPECT_TRUE(task.has_value()) << task.error().to_string();
    return task.value_or(BulkTask());
  }
  Result<BulkTask> update(uint64_t task_id, BulkTaskState state) {
    return in_transaction([&] { return cloud().update_task(task_id, {.state = state}, kNow); });
  }
  uint64_t give_back(uint64_t task_id, uint32_t limit = kMaxCloudMoves) {
    const auto returned =
        in_transaction([&] { return cloud().return_task_items(task_id, limit, kNow); });
    EXPECT_TRUE(returned.has_value()) << returned.error().to_string();
    return returned.value_or(0);
  }
  std::vector<uint64_t> items(uint64_t task_id, uint64_t after = 0, uint32_t limit = 100) {
    std::vector<uint64_t> ids;
    const auto page = cloud().task_items(task_id, after, limit);
    EXPECT_TRUE(page.has_value());
    for (const CloudItem& item : *page) ids.push_back(item.issuance_id);
    return ids;
  }
  void issue_up_to(uint64_t last) {
    for (uint64_t number = 1; number <= last; ++number) issue(number);
  }
};

TEST_F(CloudTasks, AreMadeOnceForAKey) {
  const BulkTask task = create();
  EXPECT_EQ(create().id, task.id);
  EXPECT_NE(create("other").id, task.id);
  CloudPlan plan = testing::one_target();
  plan.targets.push_back({"staging", "123456789012", "eu-west-1"});
  set_plan(plan);
  EXPECT_EQ(code_of(in_transaction(
                [&] { return cloud().create_task("staging", "linesign/lot-1.json", kNow); })),
            ErrorCode::InputInvalid);
  EXPECT_EQ(code_of(in_transaction([&] { return cloud().create_task(kTarget, "", kNow); })),
            ErrorCode::InputInvalid);
  EXPECT_EQ(code_of(in_transaction([&] { return cloud().create_task("none", "key", kNow); })),
            ErrorCode::CloudTargetUnknown);
}

TEST_F(CloudTasks, TakeTheOldestUntilTheyAreFull) {
  issue_up_to(5);
  const BulkTask task = create();
  EXPECT_EQ(task.lines, 0U);
  EXPECT_EQ(task.first_issuance, 0U);
  const BulkTask filled = fill(task.id, 3);
  EXPECT_EQ(filled.lines, 3U);
  EXPECT_EQ(filled.first_issuance, 1U);
  EXPECT_EQ(filled.last_issuance, 3U);
  EXPECT_EQ(fill(task.id, 3).lines, 3U);  // the same again
  EXPECT_THAT(items(task.id), ElementsAre(1, 2, 3));
  EXPECT_THAT(items(task.id, 1, 1), ElementsAre(2));
  EXPECT_THAT(claimed_ids(), ElementsAre(4, 5));
  EXPECT_EQ(fill(task.id, 100).lines, 5U);
  EXPECT_EQ(fill(task.id, 100).lines, 5U);  // there is no more
  EXPECT_THAT(claimed_ids(), IsEmpty());
  open();
  EXPECT_THAT(items(task.id), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(cloud().task_items(task.id, 0, 1)->front().certificate_der, testing::certificate_of(1));
  EXPECT_EQ(status().in_task, 5U);
}

TEST_F(CloudTasks, KeepTheirManifestWhateverBecomesOfItsLines) {
  issue_up_to(5);
  const BulkTask task = create();
  fill(task.id, 5);
  ASSERT_TRUE(update(task.id, BulkTaskState::Uploaded).has_value());
  const auto page = cloud().task_items(task.id, 0, 100);
  book({registered((*page)[0]), booking(2, State::Parked), booking(3, State::Waiting)});
  EXPECT_THAT(items(task.id), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(give_back(task.id), 2U);
  EXPECT_THAT(items(task.id), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(claimed_ids(), ElementsAre(3, 4, 5));
}

TEST_F(CloudTasks, ForgetLinesThatWereNeverSent) {
  issue_up_to(5);
  const BulkTask task = create();
  fill(task.id, 5);
  book({booking(1, State::Parked), booking(5, State::Parked)});
  const auto open_tasks = cloud().open_tasks(kTarget);
  ASSERT_EQ(open_tasks->size(), 1U);
  EXPECT_EQ(open_tasks->front().lines, 3U);
  EXPECT_EQ(open_tasks->front().first_issuance, 2U);
  EXPECT_EQ(open_tasks->front().last_issuance, 4U);
  EXPECT_THAT(items(task.id), ElementsAre(2, 3, 4));
  EXPECT_EQ(give_back(task.id, 2), 2U);
  EXPECT_EQ(give_back(task.id, 2), 1U);
  EXPECT_EQ(give_back(task.id, 2), 0U);
  EXPECT_THAT(items(task.id), IsEmpty());
  EXPECT_EQ(cloud().open_tasks(kTarget)->front().lines, 0U);
  EXPECT_THAT(claimed_ids(), ElementsAre(2, 3, 4));
}

TEST_F(CloudTasks, GoForwardOnly) {
  issue_up_to(1);
  const BulkTask task = create();
  fill(task.id, 1);
  const auto uploaded = in_transaction([&] {
    return cloud().update_task(
        task.id, {.state = BulkTaskState::Uploaded, .sha256 = testing::filled<32>(5, 5)}, kNow);
  });
  ASSERT_TRUE(uploaded.has_value()) << uploaded.error().to_string();
  EXPECT_EQ(uploaded->sha256, (testing::filled<32>(5, 5)));
  const auto started = in_transaction([&] {
    return cloud().update_task(
        task.id, {.state = BulkTaskState::Started, .aws_task_id = "11111111-2222"}, kNow);
  });
  ASSERT_TRUE(started.has_value());
  EXPECT_EQ(started->sha256, uploaded->sha256);
  EXPECT_EQ(started->aws_task_id, "11111111-2222");
  EXPECT_EQ(code_of(update(task.id, BulkTaskState::Uploaded)), ErrorCode::InputInvalid);
  EXPECT_TRUE(update(task.id, BulkTaskState::Started).has_value());
  EXPECT_EQ(code_of(in_transaction([&] { return cloud().fill_task(task.id, 10, kNow); })),
            ErrorCode::InputInvalid);
  open();
  EXPECT_EQ(cloud().open_tasks(kTarget)->front().aws_task_id, "11111111-2222");
}

TEST_F(CloudTasks, AreNotOverWhileALineIsNotBooked) {
  issue_up_to(2);
  const BulkTask task = create();
  fill(task.id, 2);
  ASSERT_TRUE(update(task.id, BulkTaskState::Finished).has_value());
  EXPECT_EQ(code_of(update(task.id, BulkTaskState::Booked)), ErrorCode::InputInvalid);
  EXPECT_EQ(code_of(update(task.id, BulkTaskState::Failed)), ErrorCode::InputInvalid);
  EXPECT_EQ(give_back(task.id), 2U);
  EXPECT_TRUE(update(task.id, BulkTaskState::Failed).has_value());
  EXPECT_TRUE(update(task.id, BulkTaskState::Failed).has_value());
  EXPECT_EQ(code_of(update(task.id, BulkTaskState::Booked)), ErrorCode::InputInvalid);
  EXPECT_THAT(*cloud().open_tasks(kTarget), IsEmpty());
  // Its lines go on with another one.
  const BulkTask next = create("linesign/lot-2.json");
  EXPECT_EQ(fill(next.id, 10).lines, 2U);
  EXPECT_THAT(items(next.id), ElementsAre(1, 2));
}

TEST_F(CloudTasks, AreFilledInStepsThatHoldNobodyUp) {
  ASSERT_TRUE(ledger_->begin().has_value());
  for (uint64_t number = 1; number <= 2500; ++number) {
    const testing::Request request(number);
    ASSERT_TRUE(ledger_->record_intent(request.intent).has_value());
    ASSERT_TRUE(
        ledger_->record_certificate(number, testing::signature_of(number), kNow).has_value());
  }
  ASSERT_TRUE(ledger_->commit().has_value());
  const BulkTask task = create();
  EXPECT_EQ(fill(task.id, 2500).lines, kMaxCloudMoves);
  EXPECT_EQ(fill(task.id, 2500).lines, 2 * kMaxCloudMoves);
  EXPECT_EQ(fill(task.id, 2500).lines, 2500U);
  EXPECT_EQ(items(task.id, 2000, 500).size(), 500U);
}

TEST_F(CloudTasks, RefuseWhatCannotBe) {
  const auto fill_code = [&](uint64_t id, uint32_t lines) {
    return code_of(in_transaction([&] { return cloud().fill_task(id, lines, kNow); }));
  };
  const BulkTask task = create();
  EXPECT_EQ(fill_code(task.id + 1, 1), ErrorCode::InputInvalid);
  EXPECT_EQ(fill_code(task.id, 0), ErrorCode::InputInvalid);
  EXPECT_EQ(fill_code(task.id, kMaxTaskLines + 1), ErrorCode::InputInvalid);
  EXPECT_EQ(code_of(update(task.id + 1, BulkTaskState::Started)), ErrorCode::InputInvalid);
  EXPECT_EQ(code_of(cloud().task_items(task.id + 1, 0, 1)), ErrorCode::InputInvalid);
  EXPECT_EQ(code_of(cloud().task_items(task.id, 0, 0)), ErrorCode::InputInvalid);
  EXPECT_EQ(code_of(cloud().open_tasks("none")), ErrorCode::CloudTargetUnknown);
  EXPECT_EQ(code_of(in_transaction([&] {
              return cloud().update_task(task.id,
                                         {.state = BulkTaskState::Started,
                                          .aws_task_id = std::string(kMaxAwsTaskIdBytes + 1, 'x')},
                                         kNow);
            })),
            ErrorCode::InputInvalid);
}

}  // namespace
}  // namespace linesign
