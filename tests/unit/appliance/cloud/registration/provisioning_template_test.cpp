#include "appliance/cloud/registration/provisioning_template.h"

#include <gtest/gtest.h>

namespace linesign {
namespace {

std::string template_with(const std::string& properties) {
  return R"({"Parameters":{},"Resources":{"thing":{"Type":"AWS::IoT::Thing","Properties":{}},)"
         R"("certificate":{"Type":"AWS::IoT::Certificate")" +
         properties + "}}}";
}

TEST(ProvisioningTemplate, MakesActiveCertificatesUnlessItSaysOtherwise) {
  EXPECT_FALSE(may_leave_inactive(template_with(R"(,"Properties":{"Status":"ACTIVE"})")));
  EXPECT_FALSE(may_leave_inactive(template_with(R"(,"Properties":{})")));
  EXPECT_TRUE(may_leave_inactive(template_with(R"(,"Properties":{"Status":"INACTIVE"})")));
  EXPECT_TRUE(may_leave_inactive(template_with(R"(,"Properties":{"Status":{"Ref":"Status"}})")));
}

TEST(ProvisioningTemplate, OneThatCannotBeReadMayDoAnything) {
  EXPECT_TRUE(may_leave_inactive(""));
  EXPECT_TRUE(may_leave_inactive("[]"));
  EXPECT_TRUE(may_leave_inactive(R"({"Resources":[]})"));
  EXPECT_TRUE(may_leave_inactive(R"({"Resources":{"c":{"Type":"AWS::IoT::Policy"}}})"));
  EXPECT_TRUE(may_leave_inactive(template_with("")));
}

}  // namespace
}  // namespace linesign
