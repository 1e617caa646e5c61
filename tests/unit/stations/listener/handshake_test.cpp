// Who gets in, over real sockets.
#include <sys/socket.h>

#include <openssl/ssl.h>

#include "tests/unit/stations/listener/listener_fixture.h"

namespace linesign::test {
namespace {

class HandshakeTest : public ListenerFixture {
 protected:
  void SetUp() override { start(); }

  // The handshake ends without a session, and the appliance goes on with others.
  void expect_refused(const TlsContext& context) {
    TestStation station(port_, &context);
    if (station.shake_hands()) {
      EXPECT_TRUE(station.receive_until_closed().empty());
    }
    EXPECT_TRUE(station.error()) << "no alert";
    EXPECT_TRUE(eventually([&] { return listener_->counters().refused_handshakes == 1; }));
    const TlsContext good = this->context();
    TestStation other(port_, &good);
    EXPECT_TRUE(other.greet());
    EXPECT_TRUE(on_loop([&] { return service_.issues.empty(); }));
  }
};

TEST_F(HandshakeTest, AStationOfOursGetsIn) {
  const TlsContext own = context();
  TestStation station(port_, &own);
  EXPECT_TRUE(station.greet());
  EXPECT_EQ(counters().sessions, 1U);
  EXPECT_EQ(on_loop([&] { return listener_->sessions_of(1); }), 1U);
  EXPECT_EQ(on_loop([&] { return listener_->sessions_of(2); }), 0U);
}

TEST_F(HandshakeTest, WhoSpeaksNoTlsIsClosed) {
  TestStation station(port_);
  ASSERT_TRUE(station.send_raw(as_bytes("GET / HTTP/1.1\r\nHost: appliance\r\n\r\n")));
  Bytes frame = frame_of(hello());
  station.send_raw(frame);
  while (station.wait_readable(TestStation::kPatience)) {
    uint8_t byte = 0;
    if (::recv(station.fd(), &byte, 1, 0) <= 0) break;
  }
  EXPECT_TRUE(eventually([&] { return listener_->counters().refused_handshakes == 1; }));
}

TEST_F(HandshakeTest, Tls12IsRefused) {
  const TlsContext old = context();
  SSL_CTX_set_min_proto_version(old.native(), TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(old.native(), TLS1_2_VERSION);
  expect_refused(old);
}

TEST_F(HandshakeTest, ADeviceCertificateIsRefused) {
  expect_refused(context(device_ca_.issue({.common_name = "SN-1"})));
}

TEST_F(HandshakeTest, AnotherStationCaIsRefused) {
  TlsTestCa impostor;  // of the same name
  expect_refused(context(impostor.issue({})));
}

TEST_F(HandshakeTest, AnExpiredCertificateIsRefused) {
  expect_refused(context(ca_.issue({.first_day = -30, .last_day = -1})));
}

TEST_F(HandshakeTest, TheAppliancesOwnCertificateIsRefused) { expect_refused(context(server_)); }

TEST_F(HandshakeTest, AStationThatIsNotInTheLedgerIsToldSo) {
  const TlsContext unknown = context(ca_.issue({.common_name = "nobody"}));
  TestStation station(port_, &unknown);
  ASSERT_TRUE(station.shake_hands());
  station.send(hello());
  expect_goodbye(station, ErrorCode::StationUnknown);
}

TEST_F(HandshakeTest, ARevokedStationIsToldSo) {
  on_loop([&] { service_.revoked = true; });
  const TlsContext own = context();
  TestStation station(port_, &own);
  ASSERT_TRUE(station.shake_hands());
  station.send(hello());
  expect_goodbye(station, ErrorCode::StationRevoked);
}

TEST_F(HandshakeTest, EnrollmentNeedsNoCertificateAndIsClosedWhenDone) {
  const TlsContext joining = TlsContext::for_enrollment(ca_.fingerprint()).value();
  TestStation station(port_, &joining);
  ASSERT_TRUE(station.shake_hands());
  EXPECT_EQ(station.tls().verified_ca(), ca_.der());
  station.send(enroll());
  ASSERT_TRUE(eventually([&] { return service_.enroll_replies.size() == 1; }));
  on_loop([&] {
    EXPECT_EQ(service_.enroll_sources.at(0), Bytes({127, 0, 0, 1, 0, 0, 0, 0}));
    service_.enroll_replies[0](
        Enrolled{.station = "jig-9", .certificate_der = {1}, .ca_certificate_der = {2}});
  });
  const auto messages = station.receive_until_closed();
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0].enroll().station(), "jig-9");
  EXPECT_TRUE(station.tls().is_peer_closed());
}

TEST_F(HandshakeTest, AnEnrollmentConnectionGetsNoCertificates) {
  const TlsContext joining = TlsContext::for_enrollment(ca_.fingerprint()).value();
  TestStation station(port_, &joining);
  ASSERT_TRUE(station.shake_hands());
  station.send(hello());
  expect_goodbye(station, ErrorCode::MessageUnknown);
}

}  // namespace
}  // namespace linesign::test
