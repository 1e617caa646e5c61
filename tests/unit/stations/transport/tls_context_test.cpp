#include "stations/transport/tls_context.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "protocol/base/clock.h"
#include "stations/transport/tls_handles.h"
#include "tests/support/tls_fixtures.h"
#include "tests/unit/stations/transport/tls_pair.h"

namespace linesign {
namespace {

using test::TlsLeaf;
using test::TlsLeafSpec;
using test::TlsPair;
using test::TlsTestCa;

class TlsContextTest : public testing::Test {
 protected:
  TlsContext appliance() const {
    return TlsContext::for_appliance(server_.credential(), ca_.pem()).value();
  }
  TlsContext station(const TlsLeaf& leaf) const {
    return TlsContext::for_station(leaf.credential(), ca_.pem()).value();
  }

  // The error that the appliance ends the handshake with.
  Error refusal_of(const TlsLeaf& leaf) const {
    TlsPair pair(appliance(), station(leaf));
    pair.pump();
    EXPECT_FALSE(pair.server.engine->is_open());
    EXPECT_TRUE(pair.client.error) << "the station got no alert";
    return pair.server.error.value_or(Error(ErrorCode::Internal, "accepted"));
  }

  // The error of a station that meets this server.
  Error distrust_of(const TlsLeaf& server_leaf) const {
    TlsPair pair(TlsContext::for_appliance(server_leaf.credential(), ca_.pem()).value(),
                 station(station_leaf_));
    pair.pump();
    EXPECT_FALSE(pair.server.engine->is_open());
    return pair.client.error.value_or(Error(ErrorCode::Internal, "accepted"));
  }

  TlsTestCa ca_;
  TlsTestCa other_ca_{"Test Device CA"};
  TlsLeaf server_ = ca_.issue_server();
  TlsLeaf station_leaf_ = ca_.issue({});
};

TEST_F(TlsContextTest, StationAndApplianceAcceptEachOther) {
  TlsPair pair(appliance(), station(station_leaf_));
  pair.pump();
  ASSERT_FALSE(pair.server.error) << pair.server.error->to_string();
  ASSERT_FALSE(pair.client.error) << pair.client.error->to_string();
  ASSERT_TRUE(pair.server.engine->is_open() && pair.client.engine->is_open());
  EXPECT_EQ(pair.server.engine->alpn(), TlsEngine::Alpn::Station);
  EXPECT_EQ(pair.client.engine->alpn(), TlsEngine::Alpn::Station);
  EXPECT_EQ(pair.server.engine->peer_certificate_hash(), station_leaf_.hash());
  EXPECT_EQ(pair.client.engine->peer_certificate_hash(), server_.hash());
}

TEST_F(TlsContextTest, ApplianceRefusesACertificateOfAnotherCa) {
  const Error error = refusal_of(other_ca_.issue({}));
  EXPECT_EQ(error.code(), ErrorCode::TlsFailed);
  EXPECT_NE(error.detail().find("issuer"), std::string::npos) << error.detail();
}

TEST_F(TlsContextTest, ApplianceRefusesAnExpiredCertificate) {
  const Error error = refusal_of(ca_.issue({.first_day = -30, .last_day = -1}));
  EXPECT_EQ(error.code(), ErrorCode::TlsFailed);
  EXPECT_NE(error.detail().find("expired"), std::string::npos) << error.detail();
}

TEST_F(TlsContextTest, ApplianceRefusesACertificateFromTheFuture) {
  EXPECT_EQ(refusal_of(ca_.issue({.first_day = 1})).code(), ErrorCode::TlsFailed);
}

TEST_F(TlsContextTest, ApplianceRefusesItsOwnServerCertificateAsStation) {
  EXPECT_EQ(refusal_of(ca_.issue({.purpose = "serverAuth"})).code(), ErrorCode::TlsFailed);
}

TEST_F(TlsContextTest, ApplianceRefusesACertificateWithoutPurpose) {
  EXPECT_EQ(refusal_of(ca_.issue({.purpose = ""})).code(), ErrorCode::TlsFailed);
}

TEST_F(TlsContextTest, ApplianceRefusesAStationWithoutCertificate) {
  // Enrolment has no certificate; with the stations' ALPN it must be refused.
  const TlsContext none = TlsContext::for_enrollment(ca_.fingerprint()).value();
  const auto list = std::string("\x0a") + std::string(kStationAlpn);
  ASSERT_EQ(SSL_CTX_set_alpn_protos(none.native(),
                                    reinterpret_cast<const unsigned char*>(list.data()),
                                    static_cast<unsigned>(list.size())),
            0);
  TlsPair pair(appliance(), none);
  pair.pump();
  EXPECT_FALSE(pair.server.engine->is_open());
  ASSERT_TRUE(pair.server.error);
  EXPECT_NE(pair.server.error->detail().find("did not return a certificate"), std::string::npos)
      << pair.server.error->detail();
}

TEST_F(TlsContextTest, ApplianceRefusesOtherProtocolsOrNone) {
  for (const std::string& list : {std::string("\x08http/1.1"), std::string("\x0alinesign/2")}) {
    const TlsContext client = station(station_leaf_);
    SSL_CTX_set_alpn_protos(client.native(),
                            reinterpret_cast<const unsigned char*>(list.data()),
                            static_cast<unsigned>(list.size()));
    TlsPair pair(appliance(), client);
    pair.pump();
    EXPECT_TRUE(pair.server.error);
    ASSERT_TRUE(pair.client.error);
    EXPECT_NE(pair.client.error->detail().find("no application protocol"), std::string::npos);
  }
  const TlsContext silent = station(station_leaf_);
  SSL_CTX_set_alpn_protos(silent.native(), nullptr, 0);
  TlsPair pair(appliance(), silent);
  pair.pump();
  EXPECT_TRUE(pair.server.error);
  ASSERT_TRUE(pair.client.error);
  EXPECT_NE(pair.client.error->detail().find("no application protocol"), std::string::npos);
}

TEST_F(TlsContextTest, ApplianceRefusesTls12) {
  const TlsContext old = station(station_leaf_);
  SSL_CTX_set_min_proto_version(old.native(), TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(old.native(), TLS1_2_VERSION);
  TlsPair pair(appliance(), old);
  pair.pump();
  ASSERT_TRUE(pair.server.error);
  EXPECT_NE(pair.server.error->detail().find("unsupported protocol"), std::string::npos);
  EXPECT_TRUE(pair.client.error);
}

TEST_F(TlsContextTest, StationRefusesAnApplianceOfAnotherCa) {
  TlsTestCa same_name;  // the name is equal, the key is not
  EXPECT_EQ(distrust_of(same_name.issue_server()).code(), ErrorCode::PeerNotTrusted);
}

TEST_F(TlsContextTest, StationRefusesAnotherName) {
  const Error error = distrust_of(ca_.issue(
      {.common_name = "linesign-appliance", .dns_name = "other", .purpose = "serverAuth"}));
  EXPECT_EQ(error.code(), ErrorCode::PeerNotTrusted);
  EXPECT_NE(error.detail().find("hostname mismatch"), std::string::npos) << error.detail();
}

TEST_F(TlsContextTest, StationRefusesAStationThatPlaysAppliance) {
  const Error error =
      distrust_of(ca_.issue({.dns_name = std::string(kApplianceDnsName), .purpose = "clientAuth"}));
  EXPECT_EQ(error.code(), ErrorCode::PeerNotTrusted);
}

TEST_F(TlsContextTest, StationWithAWrongClockHearsBothTimes) {
  for (const auto& [first_day, last_day] : {std::pair(2, 30), std::pair(-30, -2)}) {
    const TlsLeaf leaf = ca_.issue({.dns_name = std::string(kApplianceDnsName),
                                    .purpose = "serverAuth",
                                    .first_day = first_day,
                                    .last_day = last_day});
    const Error error = distrust_of(leaf);
    EXPECT_EQ(error.code(), ErrorCode::StationClockWrong);
    const auto day = [](int days) {
      return to_iso8601(SystemClock().now() + std::chrono::days(days)).substr(0, 10);
    };
    for (const int days : {0, first_day, last_day})
      EXPECT_NE(error.detail().find(day(days)), std::string::npos) << days << error.detail();
  }
}

TEST_F(TlsContextTest, EnrollmentWithAWrongClockHearsIt) {
  TlsLeaf leaf = ca_.issue(
      {.dns_name = std::string(kApplianceDnsName), .purpose = "serverAuth", .first_day = 2});
  leaf.certificate_pem += ca_.pem();
  TlsPair pair(TlsContext::for_appliance(leaf.credential(), ca_.pem()).value(),
               TlsContext::for_enrollment(ca_.fingerprint()).value());
  pair.pump();
  ASSERT_TRUE(pair.client.error);
  EXPECT_EQ(pair.client.error->code(), ErrorCode::StationClockWrong);
}

TEST_F(TlsContextTest, AForeignApplianceThatIsOutOfDateIsForeign) {
  TlsTestCa same_name;
  const Error error = distrust_of(same_name.issue(
      {.dns_name = std::string(kApplianceDnsName), .purpose = "serverAuth", .first_day = 2}));
  EXPECT_EQ(error.code(), ErrorCode::PeerNotTrusted);
}

TEST_F(TlsContextTest, EnrollmentNeedsNoCertificateAndHandsOutTheCa) {
  TlsPair pair(appliance(), TlsContext::for_enrollment(ca_.fingerprint()).value());
  pair.pump();
  ASSERT_FALSE(pair.client.error) << pair.client.error->to_string();
  ASSERT_TRUE(pair.server.engine->is_open() && pair.client.engine->is_open());
  EXPECT_EQ(pair.server.engine->alpn(), TlsEngine::Alpn::Enrollment);
  EXPECT_EQ(pair.client.engine->verified_ca(), ca_.der());
}

TEST_F(TlsContextTest, EnrollmentRefusesAnotherFingerprint) {
  TlsPair pair(appliance(), TlsContext::for_enrollment(other_ca_.fingerprint()).value());
  pair.pump();
  ASSERT_TRUE(pair.client.error);
  EXPECT_EQ(pair.client.error->code(), ErrorCode::PeerNotTrusted);
}

TEST_F(TlsContextTest, EnrollmentRefusesACaThatIsShownButDidNotSign) {
  TlsTestCa impostor("Impostor");
  TlsLeaf leaf =
      impostor.issue({.dns_name = std::string(kApplianceDnsName), .purpose = "serverAuth"});
  leaf.certificate_pem += impostor.pem() + ca_.pem();
  TlsPair pair(TlsContext::for_appliance(leaf.credential(), ca_.pem()).value(),
               TlsContext::for_enrollment(ca_.fingerprint()).value());
  pair.pump();
  ASSERT_TRUE(pair.client.error);
  EXPECT_EQ(pair.client.error->code(), ErrorCode::PeerNotTrusted);
}

TEST_F(TlsContextTest, EnrollmentRefusesAnAppliancesOwnCertificateAsTheCa) {
  TlsPair pair(appliance(), TlsContext::for_enrollment(server_.hash()).value());
  pair.pump();
  ASSERT_TRUE(pair.client.error);
  EXPECT_EQ(pair.client.error->code(), ErrorCode::PeerNotTrusted);
}

TEST_F(TlsContextTest, RefusesCredentialsThatCannotWork) {
  const auto code_of = [&](const TlsCredential& own, std::string_view ca) {
    const auto made = TlsContext::for_appliance(own, ca);
    return made ? ErrorCode::Internal : made.error().code();
  };
  const auto own = server_.credential();
  EXPECT_EQ(code_of({"", own.private_key_pem}, ca_.pem()), ErrorCode::CryptoFailed);
  EXPECT_EQ(code_of({own.certificate_pem, "no key"}, ca_.pem()), ErrorCode::CryptoFailed);
  EXPECT_EQ(code_of({own.certificate_pem, station_leaf_.private_key_pem}, ca_.pem()),
            ErrorCode::CryptoFailed);
  EXPECT_EQ(code_of(own, ""), ErrorCode::CryptoFailed);
  EXPECT_EQ(code_of(own, ca_.pem() + other_ca_.pem()), ErrorCode::CryptoFailed);
}

}  // namespace
}  // namespace linesign
