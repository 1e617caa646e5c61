#include "appliance/daemon/station_registry.h"

#include <gtest/gtest.h>

#include "hsm/x509/certificate_facts.h"
#include "hsm/x509/csr.h"
#include "tests/support/software_ca.h"

namespace linesign {
namespace {

constexpr Sha256 kLine2{0x02};
constexpr Sha256 kLine3{0x03};

StationRecord enrolled(int64_t id, const std::string& name, const Sha256& certificate) {
  StationRecord station;
  station.id = id;
  station.name = name;
  station.state = StationState::Active;
  station.certificate_hash = certificate;
  return station;
}

TEST(StationRegistry, KnowsAStationByItsCertificate) {
  const StationRegistry registry({enrolled(2, "line-2", kLine2), enrolled(3, "line-3", kLine3)});
  const auto station = registry.identify(kLine3);
  ASSERT_TRUE(station.has_value());
  EXPECT_EQ(station->id, 3);
  EXPECT_EQ(station->name, "line-3");
}

TEST(StationRegistry, DoesNotKnowAnInvitedStation) {
  StationRecord invited = enrolled(2, "line-2", kLine2);
  invited.state = StationState::Invited;
  invited.certificate_hash.reset();
  const StationRegistry registry({invited});
  EXPECT_EQ(registry.identify(kLine2).error().code(), ErrorCode::StationUnknown);
  EXPECT_EQ(registry.identify(Sha256{}).error().code(), ErrorCode::StationUnknown);
}

TEST(StationRegistry, RefusesARevokedStationByName) {
  StationRegistry registry({enrolled(2, "line-2", kLine2)});
  StationRecord revoked = enrolled(2, "line-2", kLine2);
  revoked.state = StationState::Revoked;
  registry.update(revoked);
  const auto station = registry.identify(kLine2);
  ASSERT_FALSE(station.has_value());
  EXPECT_EQ(station.error().code(), ErrorCode::StationRevoked);
  EXPECT_EQ(station.error().detail(), "line-2");
}

TEST(StationRegistry, StillRefusesTheOldCertificateOfAStationThatWasInvitedAgain) {
  StationRecord revoked = enrolled(2, "line-2", kLine2);
  revoked.state = StationState::Revoked;
  StationRegistry registry({revoked});
  registry.update(enrolled(5, "line-2", kLine3));
  EXPECT_EQ(registry.identify(kLine2).error().code(), ErrorCode::StationRevoked);
  EXPECT_EQ(registry.identify(kLine3)->id, 5);
}

TEST(StationRegistry, KnowsWhenACertificateEnds) {
  const test::SoftwareCa ca;
  StationRecord station = enrolled(2, "line-2", kLine2);
  station.certificate_der = ca.der();
  StationRegistry registry({station, enrolled(3, "line-3", kLine3)});
  const auto ends = read_certificate_facts(ca.der())->not_after;
  EXPECT_EQ(registry.not_after(kLine2), ends);
  EXPECT_FALSE(registry.not_after(kLine3).has_value()) << "what is no certificate has no end";
  EXPECT_FALSE(registry.not_after(Sha256{}).has_value());
  station.state = StationState::Revoked;
  registry.update(station);
  EXPECT_EQ(registry.not_after(kLine2), ends) << "of a revoked one, too";
}

TEST(StationRegistry, NamesTheOwnerOfAKeyThatNoDeviceMayHave) {
  const test::SoftwareCa ca;
  const test::SoftwareCa other(test::CaSpec{.key_type = KeyType::EcP384});
  StationRecord station = enrolled(2, "line-2", kLine2);
  station.certificate_der = ca.der();
  StationRegistry registry({station});
  registry.reserve_key(other.der(), "the station CA");
  registry.reserve_key(Bytes{1, 2, 3}, "nobody: it is no certificate");
  const auto check = [&](EVP_PKEY* key) {
    const Bytes csr = test::make_csr(key, "device");
    return registry.check_device_key(public_key_hash(*parse_csr(csr)));
  };
  EXPECT_EQ(check(ca.key()).error().code(), ErrorCode::CsrKeyReserved);
  EXPECT_EQ(check(ca.key()).error().detail(), "it is the key of station line-2");
  EXPECT_EQ(check(other.key()).error().detail(), "it is the key of the station CA");
  EXPECT_TRUE(check(test::make_key(KeyType::EcP256).get()));
  station.state = StationState::Revoked;
  registry.update(station);
  EXPECT_FALSE(check(ca.key())) << "who was a station may have its key still";
}

}  // namespace
}  // namespace linesign
