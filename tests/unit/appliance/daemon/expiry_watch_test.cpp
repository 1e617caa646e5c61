#include "appliance/daemon/expiry_watch.h"

#include <algorithm>
#include <memory>
#include <sstream>

#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include "hsm/x509/csr.h"
#include "protocol/base/expiry.h"
#include "tests/support/fake_clock.h"
#include "tests/support/software_ca.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

using std::chrono::days;

class ExpiryWatchTest : public ::testing::Test {
 protected:
  ExpiryWatchTest()
      : logger_(spdlog::default_logger()), station_ca_(*StationCa::open(dir_.path(), clock_)) {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "expiry", std::make_shared<spdlog::sinks::ostream_sink_st>(log_)));
  }
  ~ExpiryWatchTest() override { spdlog::set_default_logger(logger_); }

  void add_station(int64_t id, const std::string& name, std::chrono::seconds validity) {
    StationRecord station;
    station.id = id;
    station.name = name;
    station.state = StationState::Active;
    station.certificate_der = *station_ca_->issue(name, test::make_csr(key_.get(), "x"), validity);
    station.certificate_hash = sha256(station.certificate_der);
    registry_.update(station);
    stations_.push_back(std::move(station));
  }

  size_t lines() const {
    const std::string text = log_.str();
    return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  }

  TempDir dir_;
  FakeClock clock_{test::kTestTime};
  std::ostringstream log_;
  std::shared_ptr<spdlog::logger> logger_;
  std::unique_ptr<EventLoop> loop_ = std::move(*EventLoop::create());
  EvpKey key_ = test::make_key(KeyType::EcP256);
  const CaCertificate ca_ =
      test::SoftwareCa({.not_after = test::kTestTime + days(200)}).certificate();
  Profile profile_ = [] {
    Profile profile;
    profile.validity = days(1);
    return profile;
  }();
  std::unique_ptr<StationCa> station_ca_;
  StationRegistry registry_{{}};
  std::vector<StationRecord> stations_;
  ExpiryWatch watch_{*loop_,
                     {.clock = clock_,
                      .ca = ca_,
                      .profile = profile_,
                      .station_ca = *station_ca_,
                      .registry = registry_}};
};

TEST_F(ExpiryWatchTest, CountsDaysOfTheAppliancesCertificates) {
  const ExpiryFigures figures = watch_.figures();
  ASSERT_EQ(figures.certificates.size(), 3U);
  EXPECT_EQ(figures.certificates[0].name, "CA");
  EXPECT_EQ(figures.certificates[0].days_left, 200);
  EXPECT_EQ(figures.certificates[1].days_left, 365 * 20);
  EXPECT_EQ(figures.certificates[2].days_left, 365 * 5);
  EXPECT_FALSE(figures.devices_cut_at.has_value());
  profile_.validity = days(365);
  EXPECT_EQ(watch_.figures().devices_cut_at, ca_.not_after());
}

TEST_F(ExpiryWatchTest, CountsStationsThatEndAndNotTheRevokedOnes) {
  add_station(1, "late", days(400));
  add_station(2, "soon", days(20));
  add_station(3, "sooner", days(10));
  add_station(4, "ended", days(1));
  clock_.advance(days(2));
  ExpiryFigures figures = watch_.figures();
  EXPECT_EQ(figures.stations_ending, 2U);
  EXPECT_EQ(figures.stations_ended, 1U);
  ASSERT_TRUE(figures.next_station.has_value());
  EXPECT_EQ(figures.next_station->name, "sooner");
  EXPECT_EQ(figures.next_station->days_left, 8);
  for (StationRecord& station : stations_) {
    station.state = StationState::Revoked;
    registry_.update(station);
  }
  figures = watch_.figures();
  EXPECT_EQ(figures.stations_ending + figures.stations_ended, 0U);
}

TEST_F(ExpiryWatchTest, LogsEachWarningOnceWhenItIsDue) {
  watch_.start();
  EXPECT_EQ(lines(), 0U);
  size_t expected = 0;
  for (const int64_t due : kExpiryWarningDays) {
    clock_.advance(ca_.not_after() - days(due) - clock_.now());
    for (int i = 0; i < 3; ++i) watch_.start();
    EXPECT_EQ(lines(), ++expected) << log_.str();
  }
  clock_.advance(days(1));
  watch_.start();
  EXPECT_THAT(log_.str(), ::testing::HasSubstr("the CA ended at"));
}

TEST_F(ExpiryWatchTest, LogsTheEndOfTheStationCa) {
  clock_.advance(station_ca_->not_after() - days(20) - clock_.now());
  watch_.start();
  EXPECT_THAT(log_.str(), ::testing::HasSubstr("the station CA is valid until"));
  clock_.advance(days(21));
  watch_.start();
  EXPECT_THAT(log_.str(), ::testing::HasSubstr("the station CA ended at"));
}

TEST_F(ExpiryWatchTest, LogsTheEndAtOnceThatComesSoonAfterItsWarning) {
  clock_.advance(ca_.not_after() - std::chrono::hours(2) - clock_.now());
  watch_.start();
  const size_t before = lines();
  EXPECT_THAT(log_.str(), ::testing::HasSubstr("the CA is valid until"));
  clock_.advance(std::chrono::hours(3));
  for (int i = 0; i < 3; ++i) watch_.start();
  EXPECT_EQ(lines(), before + 1) << log_.str();
  EXPECT_THAT(log_.str(), ::testing::HasSubstr("the CA ended at"));
}

TEST_F(ExpiryWatchTest, DoesNotLogAWarningAgainThatLeavesMoreTimeWithinADay) {
  add_station(1, "sooner", days(5));
  add_station(2, "later", days(20));
  watch_.start();
  const size_t before = lines();
  EXPECT_GT(before, 0U);
  stations_.front().state = StationState::Revoked;
  registry_.update(stations_.front());
  watch_.start();
  EXPECT_EQ(lines(), before) << log_.str();
  clock_.advance(days(2));
  watch_.start();
  EXPECT_EQ(lines(), before + 1) << log_.str();
}

}  // namespace
}  // namespace linesign
