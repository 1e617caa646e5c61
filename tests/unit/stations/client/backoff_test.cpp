#include "stations/client/backoff.h"

#include <gtest/gtest.h>

namespace linesign::client {
namespace {

TEST(Backoff, AStationWithTooManySessionsWaitsLongerThanOneThatLostItsConnection) {
  Backoff backoff;
  EXPECT_LE(backoff.next_after(Error(ErrorCode::ConnectionClosed)), Backoff::kFirst);
  backoff.reset();
  EXPECT_GE(backoff.next_after(Error(ErrorCode::SessionLimit)), Backoff::kLongest);
  EXPECT_GE(backoff.next_after(Error(ErrorCode::Busy)), Backoff::kLongest);
  EXPECT_TRUE(is_worth_reconnecting(Error(ErrorCode::SessionLimit)));
  EXPECT_TRUE(is_worth_reconnecting(Error(ErrorCode::Draining)));
}

}  // namespace
}  // namespace linesign::client
