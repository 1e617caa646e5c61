#include "appliance/issuance/admission.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace linesign {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

RequestId request(uint32_t number) {
  RequestId id{};
  for (size_t i = 0; i < sizeof(number); ++i) id[i] = static_cast<uint8_t>(number >> (8 * i));
  return id;
}

class AdmissionTest : public testing::Test {
 protected:
  std::optional<milliseconds> ask(int64_t station, uint32_t number) {
    return admission_.enter(station, request(number));
  }
  // Takes so many places for a station.
  void fill(int64_t station, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i)
      ASSERT_FALSE(ask(station, static_cast<uint32_t>(station) * 1000 + i));
  }

  FakeClock clock_;
  Admission admission_{clock_, 8};
};

TEST_F(AdmissionTest, LetsInAsManyAsThereArePlaces) {
  fill(1, 8);
  EXPECT_EQ(admission_.places_of(1), 8U);
  EXPECT_TRUE(ask(1, 1));
  EXPECT_EQ(admission_.turned_away(), 1U);
  admission_.leave(1, true);
  EXPECT_FALSE(ask(1, 2));
}

TEST_F(AdmissionTest, LetsAStationBelowItsShareInWhenItIsFull) {
  fill(1, 8);
  fill(2, 4);
  EXPECT_TRUE(ask(2, 1)) << "half of the places is its share";
  EXPECT_FALSE(ask(3, 2));
}

TEST_F(AdmissionTest, TellsEachLaterTimeToThoseWhoComeWhileItIsFull) {
  fill(1, 8);
  milliseconds last(0);
  for (uint32_t i = 0; i < 1000; ++i) {
    const auto time = ask(1, i);
    ASSERT_TRUE(time);
    EXPECT_GE(*time, last);
    last = *time;
  }
  EXPECT_GT(last, milliseconds(100)) << "a thousand wait before it";
  clock_.advance(seconds(10));
  EXPECT_LT(*ask(1, 1001), last) << "those have had their turn";
}

TEST_F(AdmissionTest, TellsTheRestOfItsTimeToOneThatComesBefore) {
  fill(1, 8);
  milliseconds told(0);
  for (uint32_t i = 0; i <= 40'000; ++i) told = *ask(1, i);
  ASSERT_GT(told, seconds(2));
  clock_.advance(seconds(1));
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(ask(1, 40'000), told - seconds(1));
  admission_.leave(1, true);
  EXPECT_TRUE(ask(1, 40'000)) << "a free place is not for those who hammer";
  EXPECT_FALSE(ask(1, 50'000));
}

TEST_F(AdmissionTest, WhoComesBeforeTheTimeDoesNotMakeOthersWait) {
  fill(1, 8);
  const auto asked_once = ask(1, 1);
  for (int i = 0; i < 10'000; ++i) ask(1, 1);
  EXPECT_LE(*ask(1, 2), *asked_once + milliseconds(1));
}

TEST_F(AdmissionTest, WhoComesInTimeIsLetInWhoeverCameInBetween) {
  fill(1, 8);
  ASSERT_TRUE(ask(1, 1));
  clock_.advance(seconds(1));
  EXPECT_TRUE(ask(1, 2)) << "one that was not told to come has no place";
  EXPECT_FALSE(ask(1, 1));
  EXPECT_EQ(admission_.places_of(1), 9U);
}

TEST_F(AdmissionTest, KeepsAppointmentsUpToTwiceAsManyAsPlaces) {
  fill(1, 8);
  for (uint32_t i = 0; i < 20; ++i) ASSERT_TRUE(ask(1, i));
  clock_.advance(seconds(1));
  for (uint32_t i = 0; i < 20; ++i) EXPECT_EQ(ask(1, i).has_value(), i >= 8);
  EXPECT_EQ(admission_.places_of(1), 16U);
}

TEST_F(AdmissionTest, DoesNotWaitForeverForThoseWhoDoNotCome) {
  fill(1, 8);
  for (uint32_t i = 0; i < 10'000; ++i) ask(1, i);
  const auto crowded = ask(1, 10'000);
  clock_.advance(seconds(10));
  EXPECT_LT(*ask(1, 10'001), *crowded / 10);
}

TEST_F(AdmissionTest, ForgetsAllTimesWhenHalfOfThePlacesAreFree) {
  fill(1, 8);
  for (uint32_t i = 0; i <= 4000; ++i) ask(1, i);
  ASSERT_TRUE(ask(1, 4000));
  for (int i = 0; i < 3; ++i) admission_.leave(1, true);
  EXPECT_TRUE(ask(1, 4000));
  admission_.leave(1, true);
  EXPECT_FALSE(ask(1, 4000));
}

TEST_F(AdmissionTest, MeasuresHowFastPlacesComeFree) {
  fill(1, 8);
  ask(1, 1);
  // 100 a second, far from the guess that it begins with.
  for (uint32_t i = 0; i < 300; ++i) {
    clock_.advance(seconds(1));
    for (uint32_t k = 0; k < 100; ++k) {
      admission_.leave(1, true);
      ASSERT_FALSE(ask(1, 10'000 + 100 * i + k));
    }
    ask(1, 1'000'000 + i);
  }
  milliseconds time(0);
  for (uint32_t i = 0; i < 200; ++i) time = *ask(1, 2'000'000 + i);
  EXPECT_GT(time, milliseconds(1500)) << "two hundred at 100 a second, a little early";
  EXPECT_LE(time, seconds(2));
}

TEST_F(AdmissionTest, NeverTellsMoreThanHalfAMinute) {
  fill(1, 8);
  milliseconds time(0);
  for (uint32_t i = 0; i < 200'000; ++i) time = *ask(1, i);
  EXPECT_EQ(time, seconds(30));
}

TEST_F(AdmissionTest, KnowsWhoWantsFewWhileOthersHaveMany) {
  fill(1, 6);
  EXPECT_FALSE(admission_.is_one_of_few(1)) << "it has many";
  EXPECT_FALSE(admission_.is_one_of_few(2)) << "it has none";
  fill(2, 1);
  EXPECT_TRUE(admission_.is_one_of_few(2));
  for (int i = 0; i < 5; ++i) admission_.leave(1, true);
  EXPECT_FALSE(admission_.is_one_of_few(2)) << "nobody has many";
}

TEST_F(AdmissionTest, WhoWasToldToComeAgainWithManyDoesNotWantFew) {
  Admission large(clock_, 12);
  for (uint32_t i = 0; i < 12; ++i) ASSERT_FALSE(large.enter(1, request(i)));
  for (uint32_t i = 100; i < 106; ++i) ASSERT_FALSE(large.enter(2, request(i)));
  for (uint32_t i = 106; i < 120; ++i) ASSERT_TRUE(large.enter(2, request(i)));
  for (int i = 0; i < 5; ++i) large.leave(2, true);
  EXPECT_EQ(large.places_of(2), 1U);
  EXPECT_FALSE(large.is_one_of_few(2));
}

TEST_F(AdmissionTest, BeginsAnewWhenEverythingIsAbandoned) {
  fill(1, 8);
  ask(1, 1);
  admission_.leave_all();
  admission_.leave(1, false);
  EXPECT_EQ(admission_.places_of(1), 0U);
  fill(1, 8);
  EXPECT_TRUE(ask(1, 2));
}

}  // namespace
}  // namespace linesign
