#include "appliance/cloud/targets/text_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linesign {
namespace {

using testing::HasSubstr;

TEST(TextRules, KnowRegionsByTheirForm) {
  for (const char* region :
       {"eu-central-1", "us-gov-west-1", "ap-southeast-5", "cn-northwest-1", "xx-new-12"})
    EXPECT_TRUE(is_region(region)) << region;
  for (const char* region : {"",
                             "eu",
                             "eu-1",
                             "eu-central",
                             "eu-central-",
                             "eu-central-123",
                             "EU-central-1",
                             "eu--central-1",
                             "-eu-central-1",
                             "eu-central-1 ",
                             "eu.central-1"})
    EXPECT_FALSE(is_region(region)) << region;
}

TEST(TextRules, KnowAccountsByTheirDigits) {
  EXPECT_TRUE(is_account_number("012345678901"));
  for (const char* account : {"", "12345678901", "1234567890123", "12345678901x", "1234-5678-9012"})
    EXPECT_FALSE(is_account_number(account)) << account;
}

TEST(TextRules, KnowArnsByTheirParts) {
  EXPECT_TRUE(is_arn("arn:aws:iam::123456789012:role/bulk", kRoleArnRule));
  EXPECT_TRUE(is_arn("arn:aws-cn:iam::123456789012:role/service-role/a:b", kRoleArnRule));
  EXPECT_TRUE(
      is_arn("arn:aws:rolesanywhere:eu-central-1:123456789012:profile/x", kLoginProfileArnRule));
  EXPECT_TRUE(is_arn("arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/x",
                     kTrustAnchorArnRule));
  EXPECT_FALSE(
      is_arn("arn:aws:rolesanywhere:eu-central-1:123456789012:profile/x", kTrustAnchorArnRule));
  EXPECT_FALSE(is_arn("arn:aws:rolesanywhere::123456789012:profile/x", kLoginProfileArnRule));
  for (const std::string& arn : {std::string(""),
                                 std::string("role/bulk-registration"),
                                 std::string("arn:aws:sts::123456789012:role/x"),
                                 std::string("arn:aws:iam::12345:role/bulk"),
                                 std::string("arn:aws:iam::123456789012:"),
                                 std::string("arn:aws:iam::123456789012"),
                                 std::string("arn:aws:iam::123456789012:role/"),
                                 std::string("arn:aws:iam::123456789012:user/x"),
                                 std::string("arn:aws:iam:eu-central-1:123456789012:role/x"),
                                 std::string("arn:other:iam::123456789012:role/x"),
                                 std::string("arn:aws:iam::123456789012:role/a b"),
                                 "arn:aws:iam::123456789012:role/" + std::string(2048, 'x')})
    EXPECT_FALSE(is_arn(arn, kRoleArnRule)) << arn;
  EXPECT_EQ(arn_start(kRoleArnRule, "eu-central-1"), "arn:aws:iam:");
  EXPECT_EQ(arn_start(kRoleArnRule, "cn-north-1"), "arn:aws-cn:iam:");
  EXPECT_EQ(arn_start(kTrustAnchorArnRule, "us-gov-west-1"), "arn:aws-us-gov:rolesanywhere:");
  constexpr std::string_view kArn = "arn:aws:rolesanywhere:eu-central-1:123456789012:profile/x";
  EXPECT_EQ(account_of_arn(kArn), "123456789012");
  EXPECT_EQ(region_of_arn(kArn), "eu-central-1");
  EXPECT_EQ(account_of_arn("arn:aws"), "");
}

TEST(TextRules, AcceptTheFieldsOfADevice) {
  for (const char* text : {"", "plain", "{device_id}", "a{order}-{serial}:{certificate_id}"})
    EXPECT_EQ(find_field_fault(text, Fields::OfDevice, &kThingNameRule), std::nullopt) << text;
  EXPECT_EQ(find_field_fault("{certificate_pem}", Fields::WithPem, nullptr), std::nullopt);
  EXPECT_EQ(find_field_fault("{ca_certificate_pem}", Fields::WithPem, nullptr), std::nullopt);
}

TEST(TextRules, NameTheFieldsWhereABraceIsWrong) {
  for (const char* text : {"{",
                           "}",
                           "{}",
                           "{device}",
                           "{device_id",
                           "device_id}",
                           "{{device_id}}",
                           "{certificate_pem}",
                           "{ca_certificate_pem}"})
    EXPECT_THAT(find_field_fault(text, Fields::OfDevice, nullptr).value_or("no fault"),
                HasSubstr("{device_id}, {order}, {serial}, {certificate_id}"))
        << text;
  EXPECT_THAT(find_field_fault("{pem}", Fields::WithPem, nullptr).value_or("no fault"),
              HasSubstr("{certificate_pem}"));
}

TEST(TextRules, LookAtWhatStandsBetweenTheFields) {
  EXPECT_THAT(find_field_fault("{device_id} x", Fields::OfDevice, &kThingNameRule).value_or(""),
              HasSubstr("1 to 128"));
  EXPECT_TRUE(
      find_field_fault(std::string(129, 'x'), Fields::OfDevice, &kThingNameRule).has_value());
}

}  // namespace
}  // namespace linesign
