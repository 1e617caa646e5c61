#include "appliance/cloud/targets/plan_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linesign {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

CloudTargetStatus known(const std::string& name) {
  CloudTargetStatus status;
  status.target.name = name;
  status.is_configured = true;
  return status;
}

AwsConfig file_with(const std::vector<std::string>& names) {
  AwsConfig config;
  for (const std::string& name : names) {
    config.targets.emplace_back();
    config.targets.back().name = name;
  }
  return config;
}

TEST(PlanCheck, NamesTargetsThatLinesigndWasStartedWithout) {
  CloudTargetStatus left_out = known("b");
  left_out.is_configured = false;  // it was known before, and not at the last start
  EXPECT_THAT(targets_not_known_yet(file_with({"a", "b", "c"}), {known("a"), left_out}),
              ElementsAre("b", "c"));
  EXPECT_TRUE(targets_not_known_yet(file_with({"a"}), {known("a"), known("old")}).empty());
}

TEST(PlanCheck, ANameThatWasAnotherAccountBeforeNeedsMoreThanARestart) {
  CloudTargetStatus moved = known("a");
  moved.is_configured = false;
  moved.target.account = "111122223333";
  EXPECT_TRUE(targets_not_known_yet(file_with({"a"}), {moved}).empty());
}

TEST(PlanCheck, ExplainsAnUnknownTargetOnlyWhereTheFileNamesIt) {
  const AwsConfig config = file_with({"a"});
  const Error unknown(ErrorCode::CloudTargetUnknown, "a");
  EXPECT_THAT(explain_unknown_target(config, "a", unknown).detail(),
              HasSubstr("restart linesignd"));
  EXPECT_EQ(explain_unknown_target(config, "typo", unknown).detail(), "a");
  const Error other(ErrorCode::AdminUnavailable, "a");
  EXPECT_EQ(explain_unknown_target(config, "a", other).code(), ErrorCode::AdminUnavailable);
}

TEST(PlanCheck, TellsWhereAHandDecidedOtherwiseThanTheFile) {
  AwsConfig config = file_with({"a"});
  CloudTargetStatus target = known("a");
  EXPECT_EQ(default_order_at(config, target), DefaultOrderHere::AsTheFileSays);
  target.feeds = {{"default", true}};
  EXPECT_EQ(default_order_at(config, target), DefaultOrderHere::AddedByHand);
  config.targets_of_default_order = {"a"};
  EXPECT_EQ(default_order_at(config, target), DefaultOrderHere::AsTheFileSays);
  target.feeds = {{"other", true}, {"default", false}};
  EXPECT_EQ(default_order_at(config, target), DefaultOrderHere::StoppedByHand);
  EXPECT_THAT(to_sentence(DefaultOrderHere::StoppedByHand, "a"),
              HasSubstr("linesign aws register --order default --target a"));
  target.feeds = {{"other", true}};
  EXPECT_EQ(default_order_at(config, target), DefaultOrderHere::NotKnownYet);
}

}  // namespace
}  // namespace linesign
