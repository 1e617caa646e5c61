#include "stations/listener/listener.h"

#include "tests/unit/stations/listener/listener_fixture.h"

namespace linesign::test {
namespace {

const Bytes kCertificate = {0x30, 0x03, 0x02, 0x01, 0x05};

class ListenerTest : public ListenerFixture {};

TEST_F(ListenerTest, ACertificateGoesFromTheServiceToTheStation) {
  start();
  const TlsContext own = context();
  TestStation station(port_, &own);
  ASSERT_TRUE(station.greet());
  station.send(issue(1, "SN-77"));
  ASSERT_TRUE(eventually([&] { return service_.replies.size() == 1; }));
  EXPECT_EQ(on_loop([&] { return service_.issues[0].device_id; }), "SN-77");
  EXPECT_EQ(on_loop([&] { return service_.issues[0].station_id; }), 1);
  EXPECT_TRUE(on_loop([&] { return service_.answer(ByteView(kCertificate)); }));
  const auto reply = station.receive();
  ASSERT_TRUE(reply);
  EXPECT_EQ(to_bytes(reply->issue().certificate_der()), kCertificate);
}

TEST_F(ListenerTest, AStationThatSendsByteByByteIsServed) {
  start();
  const TlsContext own = context();
  TestStation station(port_, &own);
  ASSERT_TRUE(station.greet());
  const Bytes ciphertext = station.encrypt(frame_of(ping(5)));
  for (const uint8_t& byte : ciphertext) ASSERT_TRUE(station.send_raw({&byte, 1}));
  EXPECT_EQ(station.receive()->pong().nonce(), 5U);
}

TEST_F(ListenerTest, AProtocolErrorEndsOneSessionAndNoOther) {
  start();
  const TlsContext first = context();
  const TlsContext second = context(second_station_);
  TestStation broken(port_, &first);
  TestStation good(port_, &second);
  ASSERT_TRUE(broken.greet() && good.greet());
  broken.send_plaintext(from_hex("ffffffff").value());
  expect_goodbye(broken, ErrorCode::FrameTooLarge);
  EXPECT_TRUE(broken.tls().is_peer_closed());
  good.send(ping(1));
  EXPECT_TRUE(good.receive()->has_pong());
}

TEST_F(ListenerTest, GoodbyeArrivesAlsoWhenTheStationKeepsSending) {
  start();
  const TlsContext own = context();
  TestStation station(port_, &own);
  ASSERT_TRUE(station.greet());
  // The bytes behind the bad frame are never read by the session; a reset would eat the Goodbye.
  Bytes stream(500'000, 0);
  station.send_plaintext(stream);
  expect_goodbye(station, ErrorCode::FrameEmpty);
}

TEST_F(ListenerTest, ClosingAStationCutsItsSessionsOnly) {
  start();
  const TlsContext first = context();
  const TlsContext second = context(second_station_);
  TestStation one(port_, &first);
  TestStation two(port_, &first);
  TestStation other(port_, &second);
  ASSERT_TRUE(one.greet() && two.greet() && other.greet());
  one.send(issue(1));
  ASSERT_TRUE(eventually([&] { return service_.replies.size() == 1; }));
  EXPECT_EQ(on_loop([&] { return listener_->sessions_of(1); }), 2U);
  on_loop([&] { listener_->close_station(1, Error(ErrorCode::StationRevoked)); });
  expect_goodbye(one, ErrorCode::StationRevoked);
  expect_goodbye(two, ErrorCode::StationRevoked);
  EXPECT_FALSE(on_loop([&] { return service_.answer(ByteView(kCertificate)); }));
  other.send(ping(1));
  EXPECT_TRUE(other.receive()->has_pong());
}

TEST_F(ListenerTest, AReplyAfterTheStationLeftGoesNowhere) {
  auto station = start_and_ask(1);
  ASSERT_TRUE(station);
  station.reset();
  ASSERT_TRUE(eventually([&] { return listener_->counters().sessions == 0; }));
  EXPECT_FALSE(on_loop([&] { return service_.answer(ByteView(kCertificate)); }));
}

TEST_F(ListenerTest, AReplyAfterTheListenerIsGoneGoesNowhere) {
  const auto station = start_and_ask(2);
  ASSERT_TRUE(station);
  on_loop([&] {
    service_.answer(ByteView(kCertificate));  // its flush is still to come
    listener_.reset();
    EXPECT_FALSE(service_.answer(ByteView(kCertificate)));
  });
  while (station->receive()) {
  }
  EXPECT_TRUE(station->is_closed());
}

TEST_F(ListenerTest, DrainingAnswersWhatIsOpenAndTakesNothingNew) {
  const auto station = start_and_ask(1);
  ASSERT_TRUE(station);
  on_loop([&] { listener_->begin_drain(); });
  EXPECT_FALSE(on_loop([&] { return listener_->is_drained(); }));

  TestStation late(port_, &own_context_);
  EXPECT_TRUE(late.is_closed());
  station->send(issue(2));
  const auto refused = station->receive();
  ASSERT_TRUE(refused);
  EXPECT_EQ(failure_code(refused->issue().failure()), ErrorCode::Draining);

  EXPECT_TRUE(on_loop([&] { return service_.answer(ByteView(kCertificate)); }));
  EXPECT_TRUE(eventually([&] { return listener_->is_drained(); }));
  EXPECT_EQ(station->receive()->issue().status(), station::v1::STATUS_OK);
}

TEST_F(ListenerTest, DrainingClosesUnfinishedHandshakesAndSaysGoodbyeToTheRest) {
  const auto station = start_and_ask(1);
  ASSERT_TRUE(station);
  TestStation half(port_);
  ASSERT_TRUE(eventually([&] { return listener_->counters().pending == 1; }));
  on_loop([&] { listener_->begin_drain(); });
  EXPECT_TRUE(half.wait_readable(TestStation::kPatience));
  on_loop([&] { service_.answer(ByteView(kCertificate)); });
  ASSERT_TRUE(eventually([&] { return listener_->is_drained(); }));
  // Requests that nobody reads any more must not reset the connection under the Goodbye.
  Bytes stream;
  for (uint32_t i = 0; i < 1000; ++i) append_frame(stream, ping(i));
  on_loop([&] { listener_->close_all(); });
  station->send_plaintext(stream);
  EXPECT_EQ(station->receive()->issue().status(), station::v1::STATUS_OK);
  const auto rest = station->receive_until_closed();
  ASSERT_FALSE(rest.empty());
  EXPECT_EQ(goodbye_code(rest.back()), ErrorCode::Draining);
  EXPECT_GT(rest.back().goodbye().reason().retry_after_ms(), 0U);
  EXPECT_TRUE(station->tls().is_peer_closed()) << "close_notify";
  station->disconnect();
  EXPECT_TRUE(eventually([&] { return listener_->is_empty(); }));
}

TEST_F(ListenerTest, DrainingAnswersAndSaysGoodbyeToMoreSessionsThanMayClose) {
  constexpr uint32_t kSessions = 40;
  settings_.max_closing = 4;
  settings_.closing_timeout = std::chrono::minutes(1);
  settings_.max_sessions_per_station = kSessions;
  start();
  std::vector<std::unique_ptr<TestStation>> stations;
  for (uint32_t i = 0; i < kSessions; ++i)
    stations.push_back(std::make_unique<TestStation>(port_, &own_context_));
  for (auto& station : stations) ASSERT_TRUE(station->greet());
  for (auto& station : stations) station->send(issue(1));
  ASSERT_TRUE(eventually([&] { return service_.replies.size() == kSessions; }));
  // In one turn: nothing of it is written before all are told to close.
  on_loop([&] {
    listener_->begin_drain();
    while (!service_.replies.empty()) service_.answer(ByteView(kCertificate));
    listener_->close_all();
  });
  EXPECT_EQ(counters().connections, kSessions) << "each waits for its station to close";
  for (auto& station : stations) {
    const auto messages = station->receive_until_closed();
    ASSERT_EQ(messages.size(), 2U);
    EXPECT_EQ(messages[0].issue().status(), station::v1::STATUS_OK);
    EXPECT_EQ(goodbye_code(messages[1]), ErrorCode::Draining);
    EXPECT_TRUE(station->tls().is_peer_closed()) << "close_notify";
    station->disconnect();
  }
  EXPECT_TRUE(eventually([&] { return listener_->is_empty(); }));
}

TEST_F(ListenerTest, ServesManyStationsAtOnce) {
  settings_.max_sessions_per_station = 100;
  start();
  service_.immediate = kCertificate;
  const TlsContext own = context();
  std::vector<std::unique_ptr<TestStation>> stations;
  for (int i = 0; i < 100; ++i) stations.push_back(std::make_unique<TestStation>(port_, &own));
  for (auto& station : stations) ASSERT_TRUE(station->greet());
  for (auto& station : stations) station->send(issue(1));
  for (auto& station : stations) EXPECT_EQ(station->receive()->issue().status(), 1);
  EXPECT_EQ(counters().sessions, 100U);
  stations.clear();
  EXPECT_TRUE(eventually([&] { return listener_->counters().sessions == 0; }));
}

TEST_F(ListenerTest, SaysWhyItCannotOpen) {
  start();
  ListenerSettings taken = settings_;
  taken.address = "127.0.0.1:" + std::to_string(port_);
  const auto second =
      on_loop([&] { return Listener::open(loop_.loop(), service_, taken, credential()); });
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::ListenFailed);
  EXPECT_NE(second.error().detail().find(taken.address), std::string::npos);

  ListenerCredential broken = credential();
  broken.private_key_pem = station_.private_key_pem;
  const auto mismatched =
      on_loop([&] { return Listener::open(loop_.loop(), service_, settings_, broken); });
  ASSERT_FALSE(mismatched);
  EXPECT_EQ(mismatched.error().code(), ErrorCode::CryptoFailed);
}

}  // namespace
}  // namespace linesign::test
