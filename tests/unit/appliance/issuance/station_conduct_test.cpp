#include "appliance/issuance/station_conduct.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"
#include "tests/support/software_ca.h"

namespace linesign {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int64_t kStation = 7;

class StationConductTest : public testing::Test {
 protected:
  StationConductTest() : clock_(test::kTestTime), conduct_(clock_) {}

  // Bad CSRs until the station has to wait.
  milliseconds misbehave() {
    for (int i = 0; i < 1000; ++i) {
      ++sent_;
      if (const auto wait = conduct_.note_refusal(station_, ErrorCode::CsrProofWrong)) return *wait;
    }
    ADD_FAILURE() << "a flood is heard for ever";
    return {};
  }

  FakeClock clock_;
  StationConduct conduct_;
  const StationIdentity station_{.id = kStation, .name = "line7"};
  uint64_t sent_ = 0;
};

TEST_F(StationConductTest, HearsAStationWithSomeBadCsrs) {
  for (int i = 0; i < 100; ++i)
    EXPECT_FALSE(conduct_.note_refusal(station_, ErrorCode::CsrMalformed));
  EXPECT_FALSE(conduct_.wait_of(kStation));
  EXPECT_EQ(conduct_.refused_of(kStation), 100U);
  EXPECT_EQ(conduct_.refused_of(kStation + 1), 0U);
}

TEST_F(StationConductTest, MakesAStationThatGoesOnWaitLongerEachTimeUpToALimit) {
  milliseconds last(0);
  for (int round = 0; round < 12; ++round) {
    const milliseconds wait = misbehave();
    EXPECT_TRUE(wait == 2 * last || round == 0 || wait == seconds(60)) << wait.count();
    EXPECT_EQ(conduct_.wait_of(kStation), wait);
    EXPECT_EQ(conduct_.throttled(), std::vector<std::string>{"line7"});
    clock_.advance(std::chrono::duration_cast<seconds>(wait));
    EXPECT_FALSE(conduct_.wait_of(kStation));
    EXPECT_TRUE(conduct_.throttled().empty());
    last = wait;
  }
  EXPECT_EQ(last, seconds(60));
  EXPECT_EQ(conduct_.refused_of(kStation), sent_);
}

TEST_F(StationConductTest, DoesNotMakeTheWaitLongerForWhatWasOnItsWay) {
  const milliseconds wait = misbehave();
  for (int i = 0; i < 500; ++i)
    EXPECT_FALSE(conduct_.note_refusal(station_, ErrorCode::CsrProofWrong));
  EXPECT_EQ(conduct_.wait_of(kStation), wait);
}

TEST_F(StationConductTest, ForgivesAStationThatWasQuiet) {
  const milliseconds first = misbehave();
  clock_.advance(std::chrono::minutes(2));
  EXPECT_EQ(misbehave(), first);
  EXPECT_EQ(sent_, 202U) << "it has all of its bad CSRs back";
}

TEST_F(StationConductTest, ForgivesAStationThatAlsoMakesDevices) {
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(conduct_.note_refusal(station_, ErrorCode::CsrProofWrong));
    conduct_.note_new_intent(kStation);
  }
}

TEST_F(StationConductTest, CountsARefusalThatIsNotTheCsrsFaultAndNoMore) {
  for (int i = 0; i < 1000; ++i)
    EXPECT_FALSE(conduct_.note_refusal(station_, ErrorCode::DeviceExists));
  EXPECT_EQ(conduct_.refused_of(kStation), 1000U);
  EXPECT_FALSE(conduct_.wait_of(kStation));
}

}  // namespace
}  // namespace linesign
