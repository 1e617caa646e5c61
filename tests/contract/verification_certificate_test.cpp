// The proof of possession for AWS IoT, made by a key in SoftHSM2.
#include "hsm/ceremony/verification_certificate.h"

#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "hsm/x509/ca_certificate.h"
#include "tests/contract/ceremony_fixture.h"

namespace linesign {
namespace {

constexpr UnixTime kNow{std::chrono::seconds(1'800'000'000)};
const std::string kCode(64, 'a');

X509Certificate read_pem(const std::string& pem) {
  const Bio memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return X509Certificate(PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr));
}

class VerificationCertificate : public test::CeremonyFixture {
 protected:
  SignerSettings settings() const {
    const CeremonyPlan made = plan();
    EXPECT_TRUE(init_ca(made, {}).has_value());
    SignerSettings settings;
    settings.token = made.token;
    settings.login_lock = folder() / "login.lock";
    settings.ca_certificate = made.certificate;
    return settings;
  }
};

TEST_F(VerificationCertificate, NamesTheCodeAndIsSignedByTheCaKey) {
  const SignerSettings given = settings();
  const auto pem = make_verification_certificate(given, kCode, kNow);
  ASSERT_TRUE(pem.has_value()) << pem.error().to_string();
  const X509Certificate certificate = read_pem(*pem);
  ASSERT_TRUE(certificate);
  const auto ca = CaCertificate::load(given.ca_certificate);
  ASSERT_TRUE(ca.has_value());
  EXPECT_EQ(X509_verify(certificate.get(), ca->public_key()), 1);
  std::array<char, 128> name{};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()),
                            NID_commonName,
                            name.data(),
                            static_cast<int>(name.size()));
  EXPECT_EQ(name.data(), kCode);
  EXPECT_EQ(X509_check_ca(certificate.get()), 0);
}

TEST_F(VerificationCertificate, IsValidForHoursAndFromAWhileAgo) {
  const auto pem = make_verification_certificate(settings(), kCode, kNow);
  ASSERT_TRUE(pem.has_value()) << pem.error().to_string();
  const X509Certificate certificate = read_pem(*pem);
  time_t now = kNow.time_since_epoch().count();
  EXPECT_LT(X509_cmp_time(X509_get0_notBefore(certificate.get()), &now), 0);
  time_t tomorrow = now + 86'400;
  EXPECT_LT(X509_cmp_time(X509_get0_notAfter(certificate.get()), &tomorrow), 0);
}

TEST_F(VerificationCertificate, RefusesWhatIsNoCode) {
  const SignerSettings given = settings();
  for (const std::string& code : {std::string(), std::string(63, 'a'), std::string(64, 'x')}) {
    const auto pem = make_verification_certificate(given, code, kNow);
    ASSERT_FALSE(pem.has_value());
    EXPECT_EQ(pem.error().code(), ErrorCode::InputInvalid);
  }
}

}  // namespace
}  // namespace linesign
