#include "appliance/cloud/aws/rate_limiter.h"

#include <gtest/gtest.h>

#include "appliance/cloud/aws/operation_limits.h"
#include "appliance/cloud/aws/retry.h"
#include "tests/unit/appliance/cloud/aws/fakes.h"

namespace linesign::aws {
namespace {

using Seconds = std::chrono::duration<double>;

class RateLimiterTest : public ::testing::Test {
 protected:
  // Calls in `time` of one caller who waits as told.
  int calls_in(std::chrono::seconds time, const std::string& operation) {
    int calls = 0;
    const SteadyTime end = time_.steady() + time;
    for (;;) {
      time_.advance(limiter_.reserve(where_, operation));
      if (time_.steady() > end) return calls;
      ++calls;
    }
  }
  RateStatus status_of(const std::string& operation) {
    for (const RateStatus& row : limiter_.status(where_)) {
      if (row.operation == operation) return row;
    }
    return {};
  }

  test::FakeTime time_;
  RateLimiter limiter_{time_};
  const AccountRegion where_{"123456789012", "eu-west-1"};
};

TEST_F(RateLimiterTest, UsesFourFifthsOfTheQuotaAndNeverMoreThanItInASecond) {
  EXPECT_NEAR(calls_in(std::chrono::seconds(100), "AttachPolicy"), 1200, 5);
  time_.advance(std::chrono::hours(24));  // a long silence saves nothing up
  EXPECT_LE(calls_in(std::chrono::seconds(1), "AttachPolicy"), 15);
}

TEST_F(RateLimiterTest, ManyWaitersGetOneTokenEach) {
  Seconds last(0);
  for (int i = 0; i < 40; ++i) last = limiter_.reserve(where_, "DescribeCertificate");
  EXPECT_NEAR(last.count(), (40 - 1) / 8.0, 0.01);
}

TEST_F(RateLimiterTest, OperationsAccountsAndRegionsHaveBucketsOfTheirOwn) {
  for (int i = 0; i < 100; ++i) limiter_.reserve(where_, "DescribeCertificate");
  EXPECT_EQ(limiter_.reserve(where_, "UpdateCertificate").count(), 0);
  EXPECT_EQ(limiter_.reserve({"210987654321", "eu-west-1"}, "DescribeCertificate").count(), 0);
  EXPECT_EQ(limiter_.reserve({"123456789012", "us-east-1"}, "DescribeCertificate").count(), 0);
}

TEST_F(RateLimiterTest, AllWaysToACertificateShareTheirQuota) {
  Quotas quotas;
  quotas["RegisterCertificate"] = 1000;
  quotas["RegisterCertificateWithoutCA"] = 1000;
  limiter_.set_quotas(where_, quotas);
  EXPECT_NEAR(calls_in(std::chrono::seconds(100), "RegisterCertificate"), 1200, 5);
  EXPECT_GT(limiter_.reserve(where_, "RegisterCertificateWithoutCA").count(), 0);
}

TEST_F(RateLimiterTest, ARaisedQuotaCounts) {
  Quotas quotas;
  quotas["DescribeCertificate"] = 100;
  limiter_.set_quotas(where_, quotas);
  EXPECT_NEAR(calls_in(std::chrono::seconds(10), "DescribeCertificate"), 800, 20);
}

TEST_F(RateLimiterTest, SomeRegionsHaveLess) {
  EXPECT_EQ(default_quota("CreateThing", "eu-west-1"), 100);
  EXPECT_EQ(default_quota("CreateThing", "eu-north-1"), 50);
  EXPECT_EQ(default_quota("RegisterCertificate", "eu-north-1"), 10);
  EXPECT_EQ(default_quota("OfNextYear", "eu-west-1"), 10);
}

TEST_F(RateLimiterTest, LearnsFromThrottlingAndRecoversSlowly) {
  limiter_.reserve(where_, "DescribeCertificate");
  for (int i = 0; i < 50; ++i) limiter_.throttled(where_, "DescribeCertificate");
  EXPECT_NEAR(status_of("DescribeCertificate").per_second, 5.6, 0.01) << "one step for one moment";
  EXPECT_EQ(status_of("DescribeCertificate").throttled, 50U);
  time_.advance(std::chrono::seconds(10));
  EXPECT_NEAR(status_of("DescribeCertificate").per_second, 5.6, 0.01);
  time_.advance(std::chrono::seconds(10));
  EXPECT_NEAR(status_of("DescribeCertificate").per_second, 6.4, 0.01);
  time_.advance(std::chrono::minutes(1));
  EXPECT_NEAR(status_of("DescribeCertificate").per_second, 8.0, 0.01);
}

TEST_F(RateLimiterTest, NeverStandsStill) {
  for (int i = 0; i < 100; ++i) {
    limiter_.throttled(where_, "DescribeCertificate");
    time_.advance(std::chrono::seconds(1));
  }
  EXPECT_DOUBLE_EQ(status_of("DescribeCertificate").per_second, RateLimiter::kLeastRate);
}

TEST_F(RateLimiterTest, FindsTheRateOfAServiceThatAllowsOneASecond) {
  SteadyTime next_allowed = time_.steady();
  int accepted = 0;
  int refused = 0;
  const SteadyTime end = time_.steady() + std::chrono::minutes(10);
  while (time_.steady() < end) {
    time_.advance(limiter_.reserve(where_, "RegisterCertificate"));
    if (time_.steady() >= next_allowed) {
      next_allowed = time_.steady() + std::chrono::milliseconds(990);
      ++accepted;
    } else {
      limiter_.throttled(where_, "RegisterCertificate");
      ++refused;
    }
  }
  EXPECT_GT(accepted, 420) << "70 % of what would be possible";
  EXPECT_LT(refused, accepted / 5);
}

TEST(RetryDelay, DoublesUpToTwentySecondsAndIsRandom) {
  EXPECT_EQ(retry_delay(0, 1.0, {}), std::chrono::seconds(1));
  EXPECT_EQ(retry_delay(2, 0.5, {}), std::chrono::seconds(2));
  EXPECT_EQ(retry_delay(4, 1.0, {}), std::chrono::seconds(16));
  EXPECT_EQ(retry_delay(9, 1.0, {}), std::chrono::seconds(20));
  EXPECT_EQ(retry_delay(3, 0.0, {}), std::chrono::seconds(0));
  EXPECT_EQ(retry_delay(0, 0.5, std::chrono::milliseconds(100)), std::chrono::milliseconds(500));
  EXPECT_EQ(retry_delay(0, 0.5, std::chrono::hours(1)), std::chrono::milliseconds(5500));
  for (int i = 0; i < 100; ++i) {
    const double random = random_fraction();
    EXPECT_TRUE(random >= 0 && random <= 1);
  }
}

TEST(RetryQuota, IsNeverMoreThanFull) {
  RetryQuota quota;
  EXPECT_TRUE(quota.take(RetryQuota::kCapacity));
  EXPECT_FALSE(quota.take(1));
  quota.give_back(0);
  EXPECT_EQ(quota.left(), 1);
  quota.give_back(10'000);
  EXPECT_EQ(quota.left(), RetryQuota::kCapacity);
}

}  // namespace
}  // namespace linesign::aws
