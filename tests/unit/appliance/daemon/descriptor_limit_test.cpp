#include "appliance/daemon/descriptor_limit.h"

#include <sys/resource.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linesign {
namespace {

using ::testing::HasSubstr;

Config with_signers(int signers) {
  Config config;
  config.signer.signers = signers;
  return config;
}

TEST(DescriptorLimit, AnAmpleLimitChangesNothing) {
  const auto plan = plan_descriptors(524'288, with_signers(4));
  ASSERT_TRUE(plan.has_value());
  const ListenerSettings defaults;
  EXPECT_EQ(plan->max_sessions, defaults.max_sessions);
  EXPECT_EQ(plan->max_pending, defaults.max_pending);
  EXPECT_EQ(plan->max_closing, defaults.max_closing);
  EXPECT_FALSE(plan->warning.has_value());
}

TEST(DescriptorLimit, ALowLimitCostsSessionsAndSaysSo) {
  const auto plan = plan_descriptors(1024, with_signers(4));
  ASSERT_TRUE(plan.has_value());
  EXPECT_GT(plan->max_sessions, 400U);
  // What is reserved stays free whatever stations do.
  EXPECT_LE(plan->max_sessions + plan->max_pending + plan->max_closing, 1024U - 64 - 64 - 16);
  EXPECT_THAT(plan->warning.value_or(""), HasSubstr("max_sessions = 2048 in [stations]"));
  EXPECT_THAT(plan->warning.value_or(""), HasSubstr("LimitNOFILE"));
}

TEST(DescriptorLimit, ALimitThatLeavesNothingIsRefused) {
  const auto plan = plan_descriptors(128, with_signers(4));
  ASSERT_FALSE(plan.has_value());
  EXPECT_EQ(plan.error().code(), ErrorCode::DescriptorLimit);
  EXPECT_EQ(plan.error().exit_code(), 78);
  EXPECT_THAT(plan.error().detail(), HasSubstr("it is 128"));
}

TEST(DescriptorLimit, TheSoftLimitIsRaisedToTheHardOne) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit low{.rlim_cur = 64, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  EXPECT_EQ(raise_descriptor_limit(), before.rlim_max);
  rlimit after{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &before);
}

}  // namespace
}  // namespace linesign
