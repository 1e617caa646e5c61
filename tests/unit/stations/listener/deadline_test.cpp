// Slow, silent and stalled stations.
#include "tests/unit/stations/listener/listener_fixture.h"

namespace linesign::test {
namespace {

using std::chrono::milliseconds;

class DeadlineTest : public ListenerFixture {
 protected:
  // Sends one byte each 20 ms until the appliance says something.
  static void dribble(TestStation& station, ByteView bytes) {
    for (const uint8_t& byte : bytes) {
      if (!station.send_raw({&byte, 1}) || station.wait_readable(milliseconds(20))) return;
    }
    ADD_FAILURE() << "the appliance waited for all of it";
  }
};

TEST_F(DeadlineTest, ASlowFrameIsCutAtFrameTimeout) {
  settings_.frame_timeout = milliseconds(200);
  start();
  const TlsContext own = context();
  TestStation station(port_, &own);
  ASSERT_TRUE(station.greet());
  // Each byte of the frame in a TLS record of its own.
  const Bytes frame(500, 0);
  Bytes header = {0, 0, 1, 0xf0};
  bool answered = false;
  for (size_t i = 0; i < 400 && !answered; ++i) {
    station.send_plaintext(ByteView(i < 4 ? header : frame).subspan(i < 4 ? i : 0, 1));
    answered = station.wait_readable(milliseconds(20));
  }
  EXPECT_TRUE(answered);
  expect_goodbye(station, ErrorCode::FrameTimeout);
}

TEST_F(DeadlineTest, ASlowTlsRecordIsCutAtFrameTimeout) {
  settings_.frame_timeout = milliseconds(200);
  start();
  const TlsContext own = context();
  TestStation station(port_, &own);
  ASSERT_TRUE(station.greet());
  dribble(station, station.encrypt(Bytes(1000, 0)));
  expect_goodbye(station, ErrorCode::FrameTimeout);
}

TEST_F(DeadlineTest, CompleteFramesAreNeverLate) {
  settings_.frame_timeout = milliseconds(150);
  start();
  const TlsContext own = context();
  TestStation station(port_, &own);
  ASSERT_TRUE(station.greet());
  // The end of each frame comes with the first half of the next, for longer than the timeout.
  const Bytes frame = frame_of(ping(1));
  station.send_plaintext(ByteView(frame).first(5));
  for (int i = 0; i < 20; ++i) {
    Bytes mixed = to_bytes(ByteView(frame).subspan(5));
    mixed.insert(mixed.end(), frame.begin(), frame.begin() + 5);
    station.send_plaintext(mixed);
    const auto reply = station.receive();
    ASSERT_TRUE(reply && reply->has_pong()) << i;
    station.wait_readable(milliseconds(20));
  }
}

TEST_F(DeadlineTest, AHandshakeThatDoesNotEndIsClosed) {
  settings_.handshake_timeout = milliseconds(100);
  start();
  TestStation silent(port_);
  EXPECT_TRUE(silent.wait_readable(TestStation::kPatience));
  EXPECT_TRUE(eventually([&] {
    return listener_->counters().sessions == 0 && listener_->counters().refused_handshakes == 1;
  }));
}

TEST_F(DeadlineTest, AStationThatDoesNotIntroduceItselfIsClosed) {
  settings_.hello_timeout = milliseconds(100);
  start();
  const TlsContext own = context();
  TestStation station(port_, &own);
  ASSERT_TRUE(station.shake_hands());
  expect_goodbye(station, ErrorCode::HelloTimeout);
}

TEST_F(DeadlineTest, AnEnrollmentWithoutRequestIsClosed) {
  settings_.hello_timeout = milliseconds(100);
  start();
  const TlsContext joining = TlsContext::for_enrollment(ca_.fingerprint()).value();
  TestStation station(port_, &joining);
  ASSERT_TRUE(station.shake_hands());
  expect_goodbye(station, ErrorCode::HelloTimeout);
}

TEST_F(DeadlineTest, ASilentSessionIsClosedAtIdleTimeout) {
  settings_.idle_timeout = milliseconds(100);
  start();
  const TlsContext own = context();
  TestStation station(port_, &own);
  ASSERT_TRUE(station.greet());
  expect_goodbye(station, ErrorCode::IdleTimeout);
  EXPECT_TRUE(eventually([&] { return listener_->counters().sessions == 0; }));
}

TEST_F(DeadlineTest, WhoWaitsForAnAnswerIsNotIdle) {
  settings_.idle_timeout = milliseconds(100);
  start();
  const TlsContext own = context();
  TestStation station(port_, &own);
  ASSERT_TRUE(station.greet());
  station.send(issue(1));
  EXPECT_FALSE(station.wait_readable(milliseconds(500)));
  const Bytes certificate = {0x30, 0x00};
  EXPECT_TRUE(on_loop([&] { return service_.answer(ByteView(certificate)); }));
  const auto reply = station.receive();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->issue().status(), station::v1::STATUS_OK);
  expect_goodbye(station, ErrorCode::IdleTimeout);
}

TEST_F(DeadlineTest, AStationThatDoesNotReadIsClosed) {
  settings_.max_output_bytes = 128 * 1024;  // below what makes the appliance read no more
  start();
  service_.immediate = Bytes(60'000, 0x30);
  const TlsContext own = context();
  TestStation station(port_, &own);
  ASSERT_TRUE(station.greet());
  // More than both sockets' buffers hold.
  for (uint32_t i = 0; i < 400; ++i) station.send(issue(i));
  EXPECT_TRUE(eventually([&] { return listener_->counters().sessions == 0; }));
}

TEST_F(DeadlineTest, AStationThatStopsReadingIsClosedAfterAWhile) {
  settings_.frame_timeout = milliseconds(100);
  start();
  const TlsContext own = context();
  TestStation station(port_, &own);
  ASSERT_TRUE(station.greet());
  // Below max_output_bytes, above what the sockets take.
  on_loop([&] { service_.immediate = Bytes(60'000, 0x30); });
  for (uint32_t i = 0; i < 120; ++i) station.send(issue(i));
  EXPECT_TRUE(eventually([&] { return listener_->counters().sessions == 0; }));
}

}  // namespace
}  // namespace linesign::test
