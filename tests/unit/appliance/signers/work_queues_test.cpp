#include "appliance/signers/work_queues.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace linesign {
namespace {

class WorkQueuesTest : public ::testing::Test {
 protected:
  std::shared_ptr<CheckRequest> check(int64_t station, const std::string& device) {
    auto request = std::make_shared<CheckRequest>();
    request->id = ++last_id_;
    request->station_id = station;
    request->device_id = device;
    queues_.add(CheckJob{.request = request});
    return request;
  }

  static std::string devices(const SignerBatch& batch) {
    std::string devices;
    for (const CheckJob& job : batch.checks) devices += job.request->device_id + " ";
    return devices;
  }

  FakeClock clock_;
  WorkQueues queues_{clock_, 1};
  const BatchLimits all_{.checks = 8, .signs = 8, .threads = 1, .lanes = 1};
  uint64_t last_id_ = 0;
};

TEST_F(WorkQueuesTest, DropsChecksThatNobodyWants) {
  std::vector<std::shared_ptr<CheckRequest>> late;
  for (int i = 0; i < 200; ++i) late.push_back(check(1, "late"));
  check(1, "live");
  late.push_back(check(2, "late"));
  for (const auto& request : late) request->is_unwanted = true;
  queues_.drop_unwanted();
  EXPECT_EQ(queues_.size(), 1U);
  EXPECT_EQ(devices(queues_.take(0, all_)), "live ");
  EXPECT_FALSE(queues_.has_common());
}

TEST_F(WorkQueuesTest, TakesBackOnlyWhatIsWantedFromASignerThatIsGone) {
  const auto late = check(1, "late");
  check(1, "live");
  SignerBatch batch = queues_.take(0, all_);
  EXPECT_EQ(devices(batch), "late live ");
  for (CheckJob& job : batch.checks) job.failures = 1;
  late->is_unwanted = true;
  EXPECT_TRUE(queues_.take_back(0, std::move(batch)).empty());
  EXPECT_EQ(devices(queues_.take(0, all_)), "live ");
  EXPECT_EQ(queues_.size(), 0U);
}

TEST_F(WorkQueuesTest, GivesNothingUpThatNobodyWants) {
  const auto late = check(1, "late");
  SignerBatch batch = queues_.take(0, all_);
  batch.checks.front().failures = 3;
  late->is_unwanted = true;
  EXPECT_TRUE(queues_.take_back(0, std::move(batch)).empty());
  EXPECT_EQ(queues_.size(), 0U);
}

}  // namespace
}  // namespace linesign
