#include "appliance/cloud/targets/thing_name_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linesign {
namespace {

using testing::HasSubstr;

TargetConfig target_named(const std::string& thing_name = "{device_id}",
                          const std::string& prefix = "") {
  TargetConfig made;
  made.name = "production-eu";
  made.thing_name = thing_name;
  made.thing_name_prefix = prefix;
  made.parameters = default_parameters();
  return made;
}

// Empty: allowed.
std::string objection(const TargetConfig& made,
                      std::string_view device_id,
                      std::string_view order = "default") {
  const auto rule = DeviceIdRule::of(made, order);
  if (!rule) return "";
  const auto allowed = rule->check(device_id);
  if (allowed.has_value()) return "";
  EXPECT_EQ(allowed.error().code(), ErrorCode::DeviceIdNotAllowed);
  return allowed.error().detail();
}

TEST(ThingNameRule, ADeviceIdThatNoThingCanHaveIsNotAllowed) {
  EXPECT_EQ(objection(target_named(), "SN-1:a_b"), "");
  EXPECT_EQ(objection(target_named(), "SN.1"),
            "target production-eu: the thing's name would be 'SN.1': 1 to 128 of A-Z a-z 0-9 : _ - "
            "are allowed");
}

TEST(ThingNameRule, WhatIsNotKnownBeforeTheCertificateIsNotJudged) {
  EXPECT_EQ(objection(target_named("{serial}"), "SN.1"), "");
  EXPECT_EQ(objection(target_named("{certificate_id}-{device_id}"), std::string(63, 'a')), "");
  EXPECT_THAT(objection(target_named("{certificate_id}-{device_id}"), std::string(64, 'a')),
              HasSubstr("1 to 128 of"));
}

TEST(ThingNameRule, TheOrderIsPartOfTheName) {
  EXPECT_EQ(objection(target_named("{order}_{device_id}"), "SN-1", "lot-7"), "");
  EXPECT_THAT(objection(target_named("{order}_{device_id}"), "SN-1", "lot.7"),
              HasSubstr("lot.7_SN-1"));
  EXPECT_EQ(objection(target_named("{order}_{device_id}", "lot-"), "SN-1", "lot-7"), "");
  EXPECT_THAT(objection(target_named("{order}_{device_id}", "lot-"), "SN-1", "other"),
              HasSubstr("must begin with 'lot-'"));
}

TEST(ThingNameRule, AStationReachesNoThingOutsideOfThePrefix) {
  const TargetConfig by_id = target_named("{device_id}", "line7-");
  EXPECT_EQ(objection(by_id, "line7-000001"), "");
  EXPECT_EQ(objection(by_id, "gateway-000001"),
            "target production-eu: the thing's name would be 'gateway-000001': it must begin with "
            "'line7-' (thing_name_prefix)");
  EXPECT_EQ(objection(target_named("line7-{device_id}", "line7-"), "gateway-000001"), "");
  EXPECT_EQ(objection(target_named("line{device_id}", "line7-"), "7-000001"), "");
  EXPECT_THAT(objection(target_named("line{device_id}", "line7-"), "8-000001"),
              HasSubstr("line8-"));
}

TEST(ThingNameRule, EachWaySaysHowItsThingsAreCalled) {
  TargetConfig made = target_named("a-{device_id}");
  EXPECT_EQ(thing_name_of(made), "a-{device_id}");
  made.way = TargetWay::Bulk;
  EXPECT_EQ(thing_name_of(made), "{device_id}") << "the parameter of its lines";
  made.parameters = {{"CertificatePem", "{certificate_pem}"}};
  EXPECT_EQ(thing_name_of(made), "a-{device_id}");
  made.way = TargetWay::File;
  EXPECT_FALSE(thing_name_of(made).has_value());
  made.way = TargetWay::Jit;
  EXPECT_FALSE(thing_name_of(made).has_value()) << "the template does";
  made.thing_name_prefix = "line7-";
  EXPECT_NE(objection(made, "gateway-1"), "");
}

TEST(ThingNameRule, APrefixThatNoNameCanHaveIsFoundInTheConfiguration) {
  EXPECT_FALSE(find_prefix_fault("line7-{device_id}", "line7-").has_value());
  EXPECT_FALSE(find_prefix_fault("{device_id}", "line7-").has_value());
  EXPECT_FALSE(find_prefix_fault("li{order}", "line7-").has_value());
  EXPECT_TRUE(find_prefix_fault("line8-{device_id}", "line7-").has_value());
  EXPECT_TRUE(find_prefix_fault("li{serial}", "line7-").has_value());
}

TEST(DeviceIdRules, AnOrderIsHeldToTheTargetsThatItGoesTo) {
  TargetConfig other = target_named("{device_id}", "line7-");
  other.name = "other";
  DeviceIdRules rules({target_named(), other});
  EXPECT_TRUE(rules.check("lot", "SN.1").has_value());
  rules.set("lot", "production-eu", true);
  rules.set("lot", "not configured", true);
  EXPECT_FALSE(rules.check("lot", "SN.1").has_value());
  EXPECT_TRUE(rules.check("lot", "SN-1").has_value());
  EXPECT_TRUE(rules.check("default", "SN.1").has_value());
  rules.set("lot", "other", true);
  EXPECT_THAT(rules.check("lot", "SN-1").error().detail(), HasSubstr("target other"));
  rules.set("lot", "other", false);
  EXPECT_TRUE(rules.check("lot", "SN-1").has_value());
}

}  // namespace
}  // namespace linesign
