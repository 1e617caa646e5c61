#include "hsm/x509/csr.h"
#include "tests/unit/appliance/ledger/ledger_fixture.h"

namespace linesign {
namespace {

using testing::code_of;
using testing::filled;
using testing::kNow;

constexpr auto kHour = std::chrono::hours(1);
const Sha256 kSecret = filled<32>(7, 20);
const Sha256 kKey = filled<32>(8, 20);
const Sha256 kOtherKey = filled<32>(8, 21);
const Bytes kCertificate = {0x30, 0x03, 0x02, 0x01, 0x05};

class LedgerStations : public testing::LedgerTest {
 protected:
  Result<StationRecord> add(const std::string& name, const Sha256& secret, UnixTime at = kNow) {
    return in_transaction([&] { return ledger_->add_station(name, secret, at, at + kHour); });
  }
  Result<StationRecord> check(const Sha256& secret, const Sha256& key, UnixTime at = kNow) {
    return in_transaction([&] { return ledger_->check_token(secret, key, at); });
  }
  // As the daemon does it: both in one transaction.
  Result<void> redeem(const Sha256& secret, const Sha256& key, const Bytes& certificate) {
    return in_transaction([&]() -> Result<void> {
      LS_TRY(const StationRecord station, ledger_->check_token(secret, key, kNow));
      return ledger_->activate_station(station.id, key, certificate, kNow);
    });
  }
  Result<StationRecord> revoke(const std::string& name, UnixTime at = kNow) {
    return in_transaction([&] { return ledger_->revoke_station(name, at); });
  }
};

TEST_F(LedgerStations, AreInvitedFirst) {
  const auto station = add("line-2", kSecret);
  ASSERT_TRUE(station.has_value()) << station.error().to_string();
  EXPECT_EQ(station->name, "line-2");
  EXPECT_EQ(station->state, StationState::Invited);
  EXPECT_FALSE(station->certificate_hash.has_value());
  EXPECT_TRUE(station->certificate_der.empty());
  EXPECT_EQ(station->created_at, kNow);
  EXPECT_EQ(station->token_expires_at, kNow + kHour);
  EXPECT_FALSE(station->enrolled_at.has_value());
  EXPECT_FALSE(station->revoked_at.has_value());
}

TEST_F(LedgerStations, AreActiveOnceTheirTokenIsUsed) {
  const auto station = add("line-2", kSecret);
  ASSERT_TRUE(redeem(kSecret, kKey, kCertificate).has_value());
  open();
  const auto all = ledger_->stations();
  ASSERT_TRUE(all.has_value()) << all.error().to_string();
  ASSERT_EQ(all->size(), 2U);
  const StationRecord& record = all->at(1);
  EXPECT_EQ(record.id, station->id);
  EXPECT_EQ(record.state, StationState::Active);
  EXPECT_EQ(record.certificate_der, kCertificate);
  EXPECT_EQ(record.certificate_hash, sha256(kCertificate));
  EXPECT_EQ(record.enrolled_at, kNow);
}

TEST_F(LedgerStations, GiveOneAnswerToTheKeyThatUsedTheToken) {
  ASSERT_TRUE(add("line-2", kSecret).has_value());
  ASSERT_TRUE(redeem(kSecret, kKey, kCertificate).has_value());
  const auto again = check(kSecret, kKey, kNow + 2 * kHour);
  ASSERT_TRUE(again.has_value()) << again.error().to_string();
  EXPECT_EQ(again->certificate_der, kCertificate);
  EXPECT_EQ(code_of(check(kSecret, kOtherKey)), ErrorCode::TokenUsed);
}

TEST_F(LedgerStations, TakeATokenOnceEvenInOneTransaction) {
  ASSERT_TRUE(add("line-2", kSecret).has_value());
  ASSERT_TRUE(ledger_->begin().has_value());
  const auto first = ledger_->check_token(kSecret, kKey, kNow);
  ASSERT_TRUE(first.has_value());
  ASSERT_TRUE(ledger_->activate_station(first->id, kKey, kCertificate, kNow).has_value());
  EXPECT_EQ(code_of(ledger_->check_token(kSecret, kOtherKey, kNow)), ErrorCode::TokenUsed);
  EXPECT_EQ(code_of(ledger_->activate_station(first->id, kOtherKey, Bytes{1}, kNow)),
            ErrorCode::TokenUsed);
  ASSERT_TRUE(ledger_->commit().has_value());
  EXPECT_EQ(ledger_->stations()->at(1).certificate_der, kCertificate);
}

TEST_F(LedgerStations, RefuseUnknownAndExpiredTokens) {
  ASSERT_TRUE(add("line-2", kSecret).has_value());
  EXPECT_EQ(code_of(check(filled<32>(7, 99), kKey)), ErrorCode::TokenInvalid);
  EXPECT_EQ(code_of(check(kSecret, kKey, kNow + kHour)), ErrorCode::TokenExpired);
  EXPECT_TRUE(check(kSecret, kKey, kNow + kHour - std::chrono::seconds(1)).has_value());
}

TEST_F(LedgerStations, HaveOneNameAtATime) {
  ASSERT_TRUE(add("line-2", kSecret).has_value());
  EXPECT_EQ(code_of(add("line-2", filled<32>(7, 30))), ErrorCode::StationExists);
  EXPECT_EQ(code_of(add("line-1", filled<32>(7, 30))), ErrorCode::StationExists);
}

TEST_F(LedgerStations, GiveTheirNameBackWhenTheTokenExpiresUnused) {
  const auto old = add("line-2", kSecret);
  const auto fresh = add("line-2", filled<32>(7, 30), kNow + kHour);
  ASSERT_TRUE(fresh.has_value()) << fresh.error().to_string();
  EXPECT_NE(fresh->id, old->id);
  EXPECT_EQ(code_of(check(kSecret, kKey)), ErrorCode::TokenInvalid);
}

TEST_F(LedgerStations, GiveTheirNameBackWhenRevoked) {
  const auto later = kNow + kHour;
  const auto revoked = revoke("line-1", later);
  ASSERT_TRUE(revoked.has_value()) << revoked.error().to_string();
  EXPECT_EQ(revoked->state, StationState::Revoked);
  EXPECT_EQ(revoked->revoked_at, later);
  EXPECT_FALSE(revoked->certificate_der.empty());
  EXPECT_TRUE(add("line-1", kSecret).has_value());
  EXPECT_EQ(ledger_->stations()->size(), 2U);
}

TEST_F(LedgerStations, StayRevoked) {
  ASSERT_TRUE(revoke("line-1", kNow).has_value());
  const auto again = revoke("line-1", kNow + kHour);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->revoked_at, kNow);
  EXPECT_EQ(code_of(revoke("nobody")), ErrorCode::StationNotFound);
}

TEST_F(LedgerStations, LoseTheirTokenWhenRevoked) {
  ASSERT_TRUE(add("line-2", kSecret).has_value());
  ASSERT_TRUE(revoke("line-2").has_value());
  EXPECT_EQ(code_of(check(kSecret, kKey)), ErrorCode::TokenInvalid);
  // And the one that was used gets no answer any more.
  ASSERT_TRUE(revoke("line-1").has_value());
  EXPECT_EQ(code_of(check(filled<32>(7, 1), filled<32>(8, 1))), ErrorCode::TokenInvalid);
}

}  // namespace
}  // namespace linesign
