#include "appliance/cli/aws_text.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr UnixTime kNow{std::chrono::seconds(1'790'000'000)};

CloudTargetStatus plant() {
  CloudTargetStatus status;
  status.target = {"plant", "111122223333", "eu-west-1"};
  status.is_configured = true;
  status.feeds = {{"default", true}};
  status.waiting = 1200;
  status.registered = 5;
  status.parked = 2;
  status.parked_by_code = {{1030, 2}};
  status.oldest_waiting_at = kNow - std::chrono::hours(3);
  return status;
}

AwsStatus plant_status() {
  AwsStatus status;
  status.targets.push_back(plant());
  return status;
}

UploaderActivity activity() {
  UploaderActivity activity;
  activity.written_at = kNow - std::chrono::seconds(1);
  TargetActivity doing;
  doing.target = "plant";
  doing.state = "working";
  doing.since = kNow - std::chrono::minutes(2);
  doing.per_second = 10;
  doing.throttled = 4;
  activity.targets.push_back(doing);
  return activity;
}

TEST(AwsTextTest, SaysWhatWaitsHowLongItTakesAndWhatIsParked) {
  const std::string text = aws_status_text(plant_status(), activity(), kNow);
  EXPECT_THAT(text, HasSubstr("plant  111122223333 eu-west-1"));
  EXPECT_THAT(text, HasSubstr("1,200, oldest 3 h 0 min"));
  EXPECT_THAT(text, HasSubstr("10.0/s, 2 min left, throttled 4 times"));
  EXPECT_THAT(text, HasSubstr("2 (2 AwsRefused 1030); `linesign aws parked --target plant`"));
}

TEST(AwsTextTest, SaysWhatHoldsATargetUpAndWhatToDo) {
  UploaderActivity held = activity();
  held.targets[0].state = "held";
  held.targets[0].error = "AwsClockSkew";
  held.targets[0].detail = "six hours";
  const std::string text = aws_status_text(plant_status(), held, kNow);
  EXPECT_THAT(text, HasSubstr("AwsClockSkew for 2 min"));
  EXPECT_THAT(text, HasSubstr("six hours"));
  EXPECT_THAT(text, HasSubstr("Set the system clock right"));
}

TEST(AwsTextTest, AnUploaderThatDoesNotRunIsNotQuoted) {
  UploaderActivity old = activity();
  old.written_at = kNow - std::chrono::minutes(5);
  EXPECT_THAT(aws_status_text(plant_status(), old, kNow), HasSubstr("does not run"));
  EXPECT_THAT(aws_status_text(plant_status(), old, kNow), Not(HasSubstr("working")));
  EXPECT_THAT(aws_status_json(plant_status(), old, kNow), HasSubstr(R"("uploader":"not running")"));
  UploaderActivity ended = activity();
  ended.targets[0].state = "ended";
  EXPECT_FALSE(ended.is_running(kNow));
  EXPECT_THAT(aws_status_text(plant_status(), std::nullopt, kNow),
              HasSubstr("has not worked here"));
}

TEST(AwsTextTest, ATaskIsNamedOnlyWhereAwsHasOne) {
  AwsStatus status = plant_status();
  status.targets[0].in_task = 50;
  EXPECT_THAT(aws_status_text(status, std::nullopt, kNow), HasSubstr("1,200, 50 in a task"));
  status.without_task = {"plant"};
  EXPECT_THAT(aws_status_text(status, std::nullopt, kNow), HasSubstr("50 in a file for a task"));
}

TEST(AwsTextTest, ATargetThatLinesigndDoesNotKnowYetIsNamed) {
  AwsStatus status;
  EXPECT_THAT(aws_status_text(status, std::nullopt, kNow), HasSubstr("no [[aws.target]]"));
  status.not_known_yet = {"staging"};
  const std::string text = aws_status_text(status, std::nullopt, kNow);
  EXPECT_THAT(text, HasSubstr("staging: linesignd does not know this target yet: restart"));
  EXPECT_THAT(text, Not(HasSubstr("no [[aws.target]]")));
  EXPECT_THAT(aws_status_json(status, std::nullopt, kNow),
              HasSubstr(R"("not_known_yet":["staging"])"));
}

TEST(AwsTextTest, JsonHasTheSameInNumbers) {
  const std::string text = aws_status_json(plant_status(), activity(), kNow);
  EXPECT_THAT(text, HasSubstr(R"("uploader":"running")"));
  EXPECT_THAT(text, HasSubstr(R"("waiting":1200)"));
  EXPECT_THAT(text, HasSubstr(R"("seconds_left":120)"));
  EXPECT_THAT(text, HasSubstr(R"("name":"AwsRefused")"));
}

TEST(AwsTextTest, ReadsWhatTheUploaderWritesAndNothingElse) {
  const TempDir folder;
  EXPECT_FALSE(read_activity(folder.path()).has_value());
  std::ofstream(folder.path() / "progress.json")
      << R"({"written_at":"2026-09-21T12:53:20Z","targets":[{"target":"plant","state":"held",)"
      << R"("since":"2026-09-21T12:50:00Z","error":"AwsTimeout","detail":"","registered":7,)"
      << R"("parked":0,"per_second":1.50,"throttled":2}]})";
  const auto read = read_activity(folder.path());
  ASSERT_TRUE(read.has_value());
  ASSERT_NE(read->find("plant"), nullptr);
  EXPECT_EQ(read->find("plant")->error, "AwsTimeout");
  EXPECT_DOUBLE_EQ(read->find("plant")->per_second, 1.5);
  EXPECT_EQ(read->find("other"), nullptr);
  std::ofstream(folder.path() / "progress.json") << "{\"targets\":";
  EXPECT_FALSE(read_activity(folder.path()).has_value());
}

TEST(AwsTextTest, EveryHoldHasAnAdvice) {
  for (const ErrorInfo& each : error_list()) EXPECT_FALSE(aws_advice_for(each.code).empty());
}

TEST(AwsTextTest, ListsParkedDevicesWithTheirReasons) {
  CloudRegistration parked;
  parked.device_id = "unit-7";
  parked.code = 1030;
  parked.reason = "no";
  parked.issuance_id = 12;
  const std::vector<ParkedDevices> devices = {{"plant", {parked}}, {"other", {}}};
  EXPECT_THAT(parked_text(devices), HasSubstr("plant  unit-7  number 12 "));
  EXPECT_THAT(parked_text(devices), HasSubstr("1030 AwsRefused: no"));
  EXPECT_EQ(parked_text({}), "no device has failed\n");
  EXPECT_THAT(parked_json(devices), HasSubstr(R"("target":"plant")"));
  EXPECT_THAT(parked_json(devices), HasSubstr(R"("device_id":"unit-7")"));
}

TEST(AwsTextTest, AMonitorHearsOfFailedDevicesFirstAndThenOfBlockedTargets) {
  AwsStatus status = plant_status();
  EXPECT_EQ(aws_check_exit_code(status, activity(), kNow), 65);
  status.targets.front().parked = 0;
  EXPECT_EQ(aws_check_exit_code(status, activity(), kNow), 0) << "many wait, and they get through";
  UploaderActivity held = activity();
  held.targets.front().state = "held";
  held.targets.front().error = "AwsDenied";
  EXPECT_EQ(aws_check_exit_code(status, held, kNow), 75);
  EXPECT_EQ(aws_check_exit_code(status, held, kNow + std::chrono::hours(1)), 75)
      << "devices wait and no uploader works";
  EXPECT_EQ(aws_check_exit_code(status, std::nullopt, kNow), 75);
  status.targets.front().waiting = 0;
  EXPECT_EQ(aws_check_exit_code(status, std::nullopt, kNow), 0);
  status.not_known_yet = {"new"};
  EXPECT_EQ(aws_check_exit_code(status, activity(), kNow), 75);
}

}  // namespace
}  // namespace linesign
