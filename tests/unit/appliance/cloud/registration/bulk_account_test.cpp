// Way bulk against the double of AWS.
#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>

#include "tests/unit/appliance/cloud/registration/account_fixture.h"

namespace linesign {
namespace {

using test::AwsDouble;
using testing::HasSubstr;

class BulkAccountTest : public test::AccountTest {
 protected:
  BulkAccountTest() { setup_.way = WayKind::Bulk; }
};

TEST_F(BulkAccountTest, TheBulkWayBooksEveryLineAndFailsTheBadOnes) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(60);
  aws_.control("settings", R"({"bulk_bad_things":["SN-3","SN-9","SN-27","SN-28","SN-50"]})");
  EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  EXPECT_EQ(in_account("tasks"), 2U) << "they are tried again before they are failed";
  EXPECT_EQ(count(RegistrationState::Registered), 55U);
  EXPECT_EQ(count(RegistrationState::Parked), 5U);
  EXPECT_EQ(outbox_.items.at(27).state, RegistrationState::Parked);
  EXPECT_EQ(in_account("certificates"), 55U);
}

TEST_F(BulkAccountTest, TheBulkWayWaitsForATaskOfSomebodyElse) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(4);
  const std::string where =
      fmt::format(R"({{"account":"{}","region":"{}"}})", AwsDouble::kAccount, AwsDouble::kRegion);
  aws_.control("foreign-task", where);
  {
    const std::jthread mender([this, where] {
      pause_.wait(std::chrono::milliseconds(1200));
      aws_.control("end-foreign-task", where);
    });
    EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  }
  EXPECT_EQ(count(RegistrationState::Registered), 4U);
}

TEST_F(BulkAccountTest, ALineAtWhichAwsFailsIsTriedLaterAndLaterAndTold) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(3);
  aws_.control("settings", R"({"bulk_bad_lines":[1],"bulk_bad_code":"InternalFailureException"})");
  const auto held = run(RunMode::Once);
  ASSERT_TRUE(held.has_value()) << "a task with this line alone";
  EXPECT_EQ(held->code(), ErrorCode::AwsUnavailable);
  EXPECT_EQ(count(RegistrationState::Registered), 2U);
  EXPECT_EQ(count(RegistrationState::Waiting), 1U);
  EXPECT_EQ(outbox_.items.at(1).attempts, 1U) << "others got through in the first task";
  EXPECT_EQ(in_account("tasks"), 2U);
  aws_.control("settings", R"({"bulk_bad_lines":[],"bulk_bad_code":""})");
  EXPECT_FALSE(run(RunMode::Once).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 3U);
}

TEST_F(BulkAccountTest, ABulkTaskOfWhichEveryLineIsRefusedParksNobody) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(12);
  aws_.control("settings", R"({"bulk_bad_lines":[1,2,3,4,5,6,7,8,9,10,11,12]})");
  const auto held = run(RunMode::Once);
  aws_.control("settings", R"({"bulk_bad_lines":[]})");
  ASSERT_TRUE(held.has_value());
  EXPECT_THAT(held->detail(), HasSubstr("all 12 lines"));
  EXPECT_EQ(count(RegistrationState::Parked), 0U);
  EXPECT_FALSE(run(RunMode::Once).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 12U);
}

TEST_F(BulkAccountTest, ATaskOfOneLineFailsNobodyOnItsOwn) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(1);
  aws_.control("settings", R"({"bulk_bad_things":["SN-1"]})");
  const auto way = make_way(setup_, outbox_, connection_.get(), clock_);
  int held = 0;
  for (int steps = 0; steps < 200 && held < 3; ++steps) {
    const WayStep step = way->step();
    EXPECT_FALSE(step.is_idle);
    held += step.hold.has_value() ? 1 : 0;
    pause_.wait(step.again_after);
  }
  EXPECT_EQ(held, 3);
  EXPECT_EQ(count(RegistrationState::Parked), 0U);
  aws_.control("settings", R"({"bulk_bad_things":[]})");
  EXPECT_FALSE(run(RunMode::Once).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 1U);
}

TEST_F(BulkAccountTest, ALineForAThingOfSomebodyElseGoesIntoNoTask) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(3);
  setup_.bulk.things.template_body = setup_.bulk.template_body;
  setup_.bulk.things.parameters = setup_.bulk.parameters;
  setup_.bulk.things.issuers = {ca_.der()};
  auto iot = connection_->session().iot();
  ASSERT_TRUE(iot->create_thing({"SN-2", "", {{"owner", "gateways"}}}).has_value());
  const auto held = run(RunMode::Once);
  EXPECT_EQ(count(RegistrationState::Registered), 2U);
  ASSERT_TRUE(held.has_value());
  EXPECT_EQ(held->code(), ErrorCode::AwsThingForeign);
  EXPECT_EQ(iot->list_thing_principals("SN-2")->items.size(), 0U);
  EXPECT_EQ(iot->describe_thing("SN-2")->thing.attributes.size(), 1U);
  setup_.bulk.things.existing_things = ExistingThings::Adopt;
  EXPECT_FALSE(run(RunMode::Once).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 3U);
}

TEST_F(BulkAccountTest, ReportsThatCountFromZeroAreBookedRightly) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(6);
  aws_.control("settings", R"({"bulk_first_line":0,"bulk_bad_things":["SN-3"]})");
  EXPECT_TRUE(run(RunMode::Once).has_value()) << "the second task has the bad line alone";
  aws_.control("settings", R"({"bulk_first_line":1})");
  EXPECT_EQ(outbox_.items.at(3).state, RegistrationState::Waiting);
  EXPECT_EQ(count(RegistrationState::Registered), 5U);
}

TEST_F(BulkAccountTest, ALostStartOfABulkTaskStartsNoSecondOne) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(4);
  aws_.control("faults", R"({"operation":"StartThingRegistrationTask","do":"lose_reply"})");
  EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 4U);
  EXPECT_EQ(in_account("tasks"), 1U);
}

TEST_F(BulkAccountTest, ANewProcessAfterEachStepOfABulkTaskGoesOn) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(10);
  bool is_idle = false;
  for (int steps = 0; steps < 100 && !is_idle; ++steps) {
    const WayStep step = make_way(setup_, outbox_, connection_.get(), clock_)->step();
    ASSERT_FALSE(step.hold.has_value()) << step.hold->to_string();
    pause_.wait(step.again_after);
    is_idle = step.is_idle;
  }
  EXPECT_EQ(count(RegistrationState::Registered), 10U);
  EXPECT_EQ(in_account("tasks"), 1U);
  EXPECT_EQ(outbox_.tasks.size(), 1U);
}

TEST_F(BulkAccountTest, LinksThatExpiredAreAskedForAgain) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(4);
  aws_.control("settings", R"({"expired_reports":1})");
  EXPECT_FALSE(run(RunMode::Once).has_value()) << "nothing is held up";
  EXPECT_EQ(count(RegistrationState::Registered), 4U);
}

TEST_F(BulkAccountTest, ReportsWithoutPositionsAreBookedByCertificate) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(20);
  aws_.control("settings", R"({"report_positions":false,"report_lines_per_link":7})");
  EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  aws_.control("settings", R"({"report_positions":true,"report_lines_per_link":10000})");
  EXPECT_EQ(count(RegistrationState::Registered), 20U);
}

TEST_F(BulkAccountTest, ADeviceThatNoReportOfTwoCompletedTasksNamesIsFailed) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(6);
  // An error without the number of its line names nobody.
  aws_.control("settings", R"({"report_positions":false,"bulk_bad_things":["SN-2"]})");
  EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  aws_.control("settings", R"({"report_positions":true,"bulk_bad_things":[]})");
  EXPECT_EQ(count(RegistrationState::Registered), 5U);
  EXPECT_EQ(outbox_.items.at(2).state, RegistrationState::Parked);
  EXPECT_THAT(outbox_.booked.at(2).reason, HasSubstr("do not name"));
  EXPECT_EQ(outbox_.tasks.size(), 2U) << "a third task would say no more";
}

TEST_F(BulkAccountTest, AnUploadWhoseAnswerIsLostIsTakenForOurs) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(4);
  aws_.control("faults", R"({"operation":"PutObject","do":"lose_reply"})");
  EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 4U);
  EXPECT_EQ(outbox_.tasks.size(), 1U);
}

TEST_F(BulkAccountTest, ABulkTaskIsNotStartedWithoutTheCa) {
  make_devices(20);
  const auto missing = run(RunMode::Once);
  ASSERT_TRUE(missing.has_value());
  EXPECT_THAT(missing->detail(), HasSubstr("not registered"));
  ASSERT_TRUE(register_ca().has_value());
  auto iot = connection_->session().iot();
  ASSERT_TRUE(CaRegistrar(*iot).deactivate(setup_.ca.id).has_value());
  EXPECT_THAT(run(RunMode::Once)->detail(), HasSubstr("not ACTIVE"));
  EXPECT_EQ(count(RegistrationState::Parked), 0U);
  ASSERT_TRUE(register_ca().has_value());
  EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 20U);
}

TEST_F(BulkAccountTest, ABulkTaskWaitsForTheNewestOfItsCertificatesWhereverItStands) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(6);
  outbox_.items.at(2).committed_at = clock_.now() + std::chrono::hours(24);
  const auto held = run(RunMode::Once);
  ASSERT_TRUE(held.has_value());
  EXPECT_EQ(held->code(), ErrorCode::AwsClockSkew);
  EXPECT_EQ(run(RunMode::Once)->code(), ErrorCode::AwsClockSkew) << "by a new process as well";
  EXPECT_EQ(count(RegistrationState::Parked), 0U);
}

TEST_F(BulkAccountTest, AFinishedTaskThatAwsHasForgottenIsRegisteredAgain) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(4);
  const BulkTask task = outbox_.create_task("plant", "linesign/old.ndjson").value();
  ASSERT_TRUE(outbox_.fill_task(task.id, 10).has_value());
  BulkTaskChange change;
  change.state = BulkTaskState::Finished;
  change.aws_task_id = "11111111-2222-3333-4444-555555555555";
  ASSERT_TRUE(outbox_.update_task(task.id, change).has_value());
  EXPECT_FALSE(run(RunMode::UntilIdle).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 4U);
}

TEST_F(BulkAccountTest, EachSpellingOfReportsIsBooked) {
  ASSERT_TRUE(register_ca().has_value());
  for (const char* shape : {"public", "error-object", "register-thing", "top-level"}) {
    make_devices(6);
    aws_.control("settings",
                 fmt::format(R"({{"report_shape":"{}","bulk_bad_things":["SN-2"],)"
                             R"("bulk_bad_code":"InvalidRequestException"}})",
                             shape));
    EXPECT_FALSE(run(RunMode::Once).has_value()) << shape;
    EXPECT_EQ(count(RegistrationState::Waiting), 0U) << shape;
    const CloudBooking& failed = outbox_.booked.at(2);
    EXPECT_EQ(failed.state, RegistrationState::Parked) << shape;
    EXPECT_THAT(failed.reason, HasSubstr("InvalidRequestException: The line was made to fail"));
  }
}

TEST_F(BulkAccountTest, AThrottledLineGoesIntoALaterTask) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(4);
  aws_.control(
      "settings",
      R"({"bulk_bad_lines":[2,3],"bulk_bad_tasks":1,"bulk_bad_code":"ThrottlingException"})");
  EXPECT_FALSE(run(RunMode::Once).has_value());
  EXPECT_EQ(count(RegistrationState::Registered), 4U);
  EXPECT_EQ(in_account("tasks"), 2U);
}

TEST_F(BulkAccountTest, ASlowLineMakesNoTaskOfEachDevice) {
  ASSERT_TRUE(register_ca().has_value());
  setup_.bulk.min_lines = 5;
  setup_.bulk.max_wait = std::chrono::hours(1);
  make_devices(4);
  for (auto& [id, item] : outbox_.items) item.committed_at = clock_.now();
  const auto way = make_way(setup_, outbox_, connection_.get(), clock_);
  const WayStep waits = way->step();
  EXPECT_FALSE(waits.is_idle || waits.hold);
  EXPECT_GT(waits.again_after.count(), 0);
  EXPECT_TRUE(outbox_.tasks.empty());
  // One that has waited long enough takes the others along.
  outbox_.items.at(1).committed_at = clock_.now() - std::chrono::minutes(61);
  way->step();
  EXPECT_EQ(outbox_.tasks.size(), 1U);
  EXPECT_EQ(count(RegistrationState::InTask), 4U);
}

TEST_F(BulkAccountTest, EnoughDevicesDoNotWait) {
  ASSERT_TRUE(register_ca().has_value());
  setup_.bulk.min_lines = 5;
  setup_.bulk.max_wait = std::chrono::hours(1);
  make_devices(5);
  for (auto& [id, item] : outbox_.items) item.committed_at = clock_.now() - std::chrono::seconds(1);
  make_way(setup_, outbox_, connection_.get(), clock_)->step();
  EXPECT_EQ(count(RegistrationState::InTask), 5U);
}

TEST_F(BulkAccountTest, ATaskThatFailsLeavesNoObjectAndNoFile) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(12);
  std::ofstream(folder_.path() / "plant-99-results") << "of a process that was killed";
  aws_.control("settings", R"({"bulk_bad_lines":[1,2,3,4,5,6,7,8,9,10,11,12]})");
  EXPECT_TRUE(run(RunMode::Once).has_value());
  aws_.control("settings", R"({"bulk_bad_lines":[]})");
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
  const auto gone =
      connection_->session().s3().head_object({setup_.bulk.bucket, outbox_.tasks.at(1).object_key});
  ASSERT_FALSE(gone.has_value());
  EXPECT_EQ(gone.error().code(), ErrorCode::AwsNotFound);
}

TEST_F(BulkAccountTest, AnObjectThatMayNotBeDeletedIsOnlyTold) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(12);
  aws_.control("settings", R"({"bulk_bad_lines":[1,2,3,4,5,6,7,8,9,10,11,12]})");
  aws_.control("faults", R"({"operation":"DeleteObject","do":"error","code":"AccessDenied"})");
  const auto way = make_way(setup_, outbox_, connection_.get(), clock_);
  WayStep last;
  while (!last.hold) {
    pause_.wait(last.again_after);
    last = way->step();
  }
  aws_.control("settings", R"({"bulk_bad_lines":[]})");
  EXPECT_THAT(last.hold->detail(), HasSubstr("all 12 lines"));
  ASSERT_EQ(last.notes.size(), 1U);
  EXPECT_THAT(last.notes.front(), HasSubstr(outbox_.tasks.at(1).object_key + " of a bulk task"));
}

TEST_F(BulkAccountTest, AnObjectOfATryThatWasKilledIsOurs) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(3);
  // Uploaded, and killed before that was in the ledger; meanwhile there is one device more.
  make_way(setup_, outbox_, connection_.get(), clock_)->step();
  outbox_.tasks.at(1).state = BulkTaskState::Planned;
  CloudItem more = outbox_.items.at(1);
  more.issuance_id = 4;
  more.state = RegistrationState::Waiting;
  outbox_.items[4] = more;
  const auto object_of = [&](uint64_t task) {
    return connection_->session().s3().head_object(
        {setup_.bulk.bucket, outbox_.tasks.at(task).object_key});
  };
  ASSERT_TRUE(object_of(1).has_value());
  EXPECT_FALSE(run(RunMode::Once).has_value());
  EXPECT_EQ(outbox_.tasks.at(1).state, BulkTaskState::Failed);
  EXPECT_EQ(object_of(1).error().code(), ErrorCode::AwsNotFound);
  EXPECT_TRUE(object_of(2).has_value());
}

TEST_F(BulkAccountTest, AStartWithoutAnAnswerIsFoundAmongTasksThatEnded) {
  ASSERT_TRUE(register_ca().has_value());
  make_devices(4);
  const auto step = [&] { return make_way(setup_, outbox_, connection_.get(), clock_)->step(); };
  while (outbox_.tasks.empty() || outbox_.tasks.at(1).state != BulkTaskState::Started) step();
  while (in_account("certificates") < 4) pause_.wait(std::chrono::milliseconds(20));
  outbox_.tasks.at(1).state = BulkTaskState::Uploaded;
  const auto way = make_way(setup_, outbox_, connection_.get(), clock_);
  WayStep told = way->step();
  while (told.notes.empty()) told = way->step();
  EXPECT_THAT(told.notes.front(), HasSubstr("had no answer: of 1 tasks that ended"));
  EXPECT_EQ(in_account("tasks"), 1U);
}

}  // namespace
}  // namespace linesign
