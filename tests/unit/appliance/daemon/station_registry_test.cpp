#include "appliance/daemon/station_registry.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace linesign
