#include "appliance/bench/load.h"

#include <atomic>
#include <map>
#include <mutex>

#include <gtest/gtest.h>

#include "appliance/bench/device_lot.h"
#include "tests/support/fake_appliance.h"

namespace linesign::bench {
namespace {

using std::chrono::milliseconds;
using test::FakeAppliance;

class LoadTest : public ::testing::Test {
 protected:
  void add_stations(size_t count) {
    while (stations_.size() < count) stations_.push_back(appliance_.credential());
  }
  void make_requests(size_t count) { requests_ = *make_lot({.count = count, .threads = 2}, {}); }

  LoadSettings settings() {
    LoadSettings settings;
    settings.stations = stations_;
    settings.requests = requests_;
    settings.window = 8;
    return settings;
  }
  LoadResult run(const LoadSettings& settings, const LoadHooks& hooks = {}) {
    auto result = run_load(settings, hooks);
    EXPECT_TRUE(result.has_value()) << (result.has_value() ? "" : result.error().to_string());
    return result.has_value() ? std::move(*result) : LoadResult();
  }

  FakeAppliance appliance_;
  std::vector<StationCredential> stations_;
  std::vector<IssueRequest> requests_;
};

TEST_F(LoadTest, EveryStationGetsItsLot) {
  add_stations(3);
  make_requests(60);
  LoadSettings load = settings();
  load.lot = 20;
  const LoadResult result = run(load);
  EXPECT_EQ(result.certificates, 60U);
  EXPECT_EQ(result.all_certificates, 60U);
  EXPECT_EQ(result.latency.count, 60U);
  EXPECT_EQ(result.obeying.stations, 3U);
  EXPECT_EQ(result.obeying.least, 20U);
  EXPECT_EQ(result.obeying.most, 20U);
  EXPECT_TRUE(result.refused.empty());
  EXPECT_FALSE(result.ran_out);
}

TEST_F(LoadTest, EndsAfterItsTimeAndTakesWhatIsOnItsWay) {
  add_stations(2);
  make_requests(20'000);
  LoadSettings load = settings();
  load.warm_up = milliseconds(50);
  load.duration = milliseconds(200);
  const LoadResult result = run(load);
  EXPECT_GE(result.wall, milliseconds(150));  // libevent counts from when it woke up
  EXPECT_FALSE(result.ran_out);
  EXPECT_GT(result.certificates, 0U);
  EXPECT_GT(result.all_certificates, result.certificates);  // of the warm-up
  EXPECT_EQ(result.latency.count, result.certificates);
}

TEST_F(LoadTest, SaysWhenThereWasNothingMoreToSend) {
  add_stations(1);
  make_requests(10);
  LoadSettings load = settings();
  load.duration = std::chrono::seconds(30);
  const LoadResult result = run(load);
  EXPECT_TRUE(result.ran_out);
  EXPECT_EQ(result.certificates, 10U);
}

TEST_F(LoadTest, SendsAgainWhatIsToComeLater) {
  add_stations(1);
  make_requests(20);
  std::mutex mutex;
  std::map<std::string, int> seen;
  appliance_.set_hook([&](const IssueCall& call) -> FakeAppliance::Answer {
    const std::lock_guard lock(mutex);
    if (++seen[std::string(call.device_id)] > 1) return {};
    return tl::unexpected(
        Refusal{.error = Error(ErrorCode::Busy), .retry_after = milliseconds(20)});
  });
  LoadSettings load = settings();
  load.lot = 20;
  const LoadResult result = run(load);
  EXPECT_EQ(result.certificates, 20U);
  EXPECT_EQ(result.later, (AnswerCounts{{"Busy", 20}}));
  EXPECT_GE(result.latency.p50, milliseconds(20));  // the waiting counts
  for (const auto& [device, times] : seen) EXPECT_EQ(times, 2) << device;
}

TEST_F(LoadTest, OneThatHammersDoesNotWait) {
  add_stations(2);
  make_requests(2);
  std::atomic<int> refused = 0;
  appliance_.set_hook([&](const IssueCall&) -> FakeAppliance::Answer {
    if (++refused > 50) return {};
    return tl::unexpected(
        Refusal{.error = Error(ErrorCode::Busy), .retry_after = std::chrono::minutes(1)});
  });
  LoadSettings load = settings();
  load.lot = 1;
  load.hammering = 2;
  const LoadResult result = run(load);
  EXPECT_EQ(result.certificates, 2U);
  EXPECT_EQ(result.hammering.stations, 2U);
  EXPECT_EQ(result.obeying.stations, 0U);
  EXPECT_EQ(result.later, (AnswerCounts{{"Busy", 50}}));
  EXPECT_LT(result.wall, std::chrono::seconds(30));
}

TEST_F(LoadTest, CountsRefusalsByName) {
  add_stations(1);
  make_requests(10);
  appliance_.set_hook([](const IssueCall& call) -> FakeAppliance::Answer {
    if (call.device_id.ends_with("3")) return tl::unexpected(Refusal{Error(ErrorCode::KeyExists)});
    return {};
  });
  LoadSettings load = settings();
  load.lot = 10;
  const LoadResult result = run(load);
  EXPECT_EQ(result.certificates, 9U);
  EXPECT_EQ(result.refused, (AnswerCounts{{"KeyExists", 1}}));
}

TEST_F(LoadTest, ALoneStationIsMeasuredOnItsOwn) {
  add_stations(2);
  make_requests(5100);
  LoadSettings load = settings();
  load.stations = std::span(stations_).first(1);
  load.lone = &stations_[1];
  load.requests = std::span(requests_).first(5000);
  load.lone_requests = std::span(requests_).last(100);
  load.lone_interval = milliseconds(10);
  load.duration = milliseconds(300);
  const LoadResult result = run(load);
  ASSERT_TRUE(result.lone.has_value());
  EXPECT_GT(result.lone->latency.count, 0U);
  EXPECT_GT(result.certificates, 0U);
  EXPECT_EQ(result.latency.count, result.certificates);
  EXPECT_GE(result.all_certificates, result.certificates + result.lone->latency.count);
}

TEST_F(LoadTest, ALoneStationNeedsNoOthers) {
  add_stations(1);
  make_requests(100);
  LoadSettings load = settings();
  load.stations = {};
  load.lone = &stations_[0];
  load.requests = {};
  load.lone_requests = requests_;
  load.lone_interval = milliseconds(5);
  load.duration = milliseconds(200);
  const LoadResult result = run(load);
  ASSERT_TRUE(result.lone.has_value());
  EXPECT_GT(result.lone->latency.count, 2U);
  EXPECT_FALSE(result.ran_out);
}

TEST_F(LoadTest, GoesOnAfterALostConnection) {
  add_stations(2);
  make_requests(40);
  std::atomic<int> calls = 0;
  appliance_.set_hook([&](const IssueCall&) -> FakeAppliance::Answer {
    ++calls;
    return {};
  });
  LoadSettings load = settings();
  load.lot = 20;
  LoadHooks hooks;
  hooks.on_start = [&] { appliance_.cut_sessions(); };
  const LoadResult result = run(load, hooks);
  EXPECT_EQ(result.certificates, 40U);
  EXPECT_GT(result.reconnects, 0U);
}

}  // namespace
}  // namespace linesign::bench
