#include "stations/client/backoff.h"

#include <gtest/gtest.h>

namespace linesign::client {
namespace {

TEST(Backoff, AStationWithTooManySessionsWaitsLongerThanOneThatLostItsConnection) {
  Backoff backoff;
  EXPECT_LE(backoff.next_after(Error(ErrorCode::ConnectionClosed), true), Backoff::kFirst);
  backoff.reset();
  EXPECT_GE(backoff.next_after(Error(ErrorCode::SessionLimit), false), Backoff::kLongest);
  EXPECT_GE(backoff.next_after(Error(ErrorCode::Busy), false), Backoff::kLongest);
  EXPECT_TRUE(is_worth_reconnecting(Error(ErrorCode::SessionLimit)));
  EXPECT_TRUE(is_worth_reconnecting(Error(ErrorCode::Draining)));
}

TEST(Backoff, AStationWhoseSessionGaveWayComesBackSoon) {
  Backoff backoff;
  EXPECT_LE(backoff.next_after(Error(ErrorCode::SessionLimit), true), Backoff::kFirst);
}

}  // namespace
}  // namespace linesign::client
