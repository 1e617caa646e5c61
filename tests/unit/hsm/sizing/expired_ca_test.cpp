#include "hsm/sizing/expired_ca.h"

#include <gtest/gtest.h>

#include "tests/support/software_ca.h"

namespace linesign {
namespace {

TEST(ExpiredCa, HasTheKeyOfTheCaAndNothingElseOfIt) {
  for (const KeyType type : {KeyType::EcP256, KeyType::EcP384, KeyType::Rsa2048}) {
    const test::SoftwareCa ca({.key_type = type});
    const CaCertificate real = ca.certificate();
    const auto expired = make_expired_ca(real);
    ASSERT_TRUE(expired.has_value()) << expired.error().to_string();
    EXPECT_TRUE(equal(expired->spki(), real.spki()));
    EXPECT_FALSE(equal(expired->subject(), real.subject()));
    EXPECT_FALSE(equal(expired->subject_key_id(), real.subject_key_id()));
    EXPECT_EQ(expired->subject_text(), "CN=linesign sizing: not a CA");
  }
}

TEST(ExpiredCa, EndedLongAgo) {
  const auto expired = make_expired_ca(test::SoftwareCa().certificate());
  ASSERT_TRUE(expired.has_value());
  EXPECT_EQ(to_iso8601(expired->not_before()), "1970-01-01T00:00:00Z");
  EXPECT_EQ(to_iso8601(expired->not_after()), "1970-01-02T00:00:00Z");
  EXPECT_LE(kSizingTime + sizing_profile().validity, expired->not_after());
  EXPECT_EQ(sizing_profile().validity, std::chrono::hours(1));
}

}  // namespace
}  // namespace linesign
