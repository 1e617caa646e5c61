#include "stations/listener/pending_connections.h"

#include <gtest/gtest.h>

namespace linesign::test {
namespace {

using std::chrono::seconds;

SourceAddress source(uint8_t last) { return {10, 0, 0, last}; }

class PendingConnectionsTest : public testing::Test {
 protected:
  PendingConnections::Admission add(const SourceAddress& from, seconds at = seconds(0)) {
    return pending_.add(++number_, from, start_ + at);
  }

  uint64_t number_ = 0;  // of the newest
  SteadyTime start_ = SteadyTime::clock::now();
  PendingConnections pending_{{.total = 6, .per_source = 4, .grace = seconds(2)}};
};

TEST_F(PendingConnectionsTest, TheOldestSilentOneOfAFullSourceGivesWay) {
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(add(source(1)).gives_way);
  pending_.note_bytes(1);
  const auto admission = add(source(1));
  EXPECT_TRUE(admission.is_admitted);
  EXPECT_EQ(admission.gives_way, 2U) << "1 has sent something";
  EXPECT_EQ(pending_.size(), 4U);
}

TEST_F(PendingConnectionsTest, ASourceDoesNotPushOutItsOwnYoungHandshakes) {
  for (uint64_t i = 1; i <= 4; ++i) {
    add(source(1));
    pending_.note_bytes(i);
  }
  const auto refused = add(source(1), seconds(1));
  EXPECT_FALSE(refused.is_admitted);
  EXPECT_FALSE(refused.gives_way);
  const auto later = add(source(1), seconds(3));
  EXPECT_TRUE(later.is_admitted);
  EXPECT_EQ(later.gives_way, 1U);
}

TEST_F(PendingConnectionsTest, AtTheSumTheSourceWithTheMostPays) {
  for (int i = 0; i < 4; ++i) add(source(1));
  add(source(2));
  add(source(3));
  const auto admission = add(source(4));
  EXPECT_TRUE(admission.is_admitted);
  EXPECT_EQ(admission.gives_way, 1U);
}

TEST_F(PendingConnectionsTest, AtTheSumAFullSourceAlsoLosesAYoungHandshakeToAnother) {
  for (uint64_t i = 1; i <= 4; ++i) {
    add(source(1));
    pending_.note_bytes(i);
  }
  add(source(2));
  add(source(3));
  EXPECT_EQ(add(source(4)).gives_way, 1U);
}

TEST_F(PendingConnectionsTest, OfSourcesWithAsManyTheOldestSilentOneGivesWay) {
  for (uint8_t i = 1; i <= 6; ++i) add(source(i));
  pending_.note_bytes(1);
  EXPECT_EQ(add(source(7)).gives_way, 2U);
  EXPECT_EQ(add(source(8)).gives_way, 3U);
}

TEST_F(PendingConnectionsTest, AFloodOfOneSourceNeverTouchesAnother) {
  add(source(1));
  for (int i = 0; i < 10'000; ++i) {
    const auto admission = add(source(2));
    ASSERT_TRUE(admission.is_admitted);
    ASSERT_NE(admission.gives_way, 1U);
  }
  EXPECT_EQ(pending_.size(), 5U);
}

TEST_F(PendingConnectionsTest, WhoIsGoneMakesRoom) {
  for (int i = 0; i < 4; ++i) add(source(1));
  pending_.remove(3);
  pending_.remove(3);
  EXPECT_FALSE(add(source(1)).gives_way);
  for (uint64_t i = 1; i <= number_; ++i) pending_.remove(i);
  EXPECT_EQ(pending_.size(), 0U);
}

}  // namespace
}  // namespace linesign::test
