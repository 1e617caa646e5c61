#include "hsm/sizing/signing_loop.h"

#include <gtest/gtest.h>

#include "hsm/sizing/expired_ca.h"
#include "tests/support/software_ca.h"
#include "tests/support/software_signing_key.h"

namespace linesign {
namespace {

using std::chrono::milliseconds;

std::vector<CorpusCsr> corpus() {
  return {{"unit-1", test::make_csr(test::shared_key(KeyType::EcP384), "unit-1")},
          {"unit-2", test::make_csr(test::shared_key(KeyType::Rsa2048), "unit-2")}};
}

Result<SigningLoop> make_loop(const test::SoftwareCa& ca, const std::vector<CorpusCsr>& csrs) {
  return SigningLoop::create(
      ca.certificate(),
      std::make_unique<test::SoftwareSigningKey>(ca.key(), ca.certificate().key_type()),
      csrs);
}

TEST(SigningLoop, MakesCertificatesWithEveryKindOfCaKey) {
  const auto csrs = corpus();
  for (const KeyType type : {KeyType::EcP256, KeyType::EcP384, KeyType::Rsa2048}) {
    const EvpKey key = test::make_key(type);
    const test::SoftwareCa ca({.key_type = type, .key = key.get()});
    auto loop = make_loop(ca, csrs);
    ASSERT_TRUE(loop.has_value()) << loop.error().to_string();
    const auto result = loop->run(milliseconds(5), StepTiming::Off);
    ASSERT_TRUE(result.has_value()) << result.error().to_string();
    EXPECT_GE(result->certificates, 1U);
    EXPECT_GE(result->wall, milliseconds(5));
    EXPECT_EQ(result->steps, StepTimes{});
  }
}

TEST(SigningLoop, MakesOneCertificateInNoTime) {
  const auto csrs = corpus();
  auto loop = make_loop(test::SoftwareCa(), csrs);
  ASSERT_TRUE(loop.has_value());
  EXPECT_EQ(loop->run(milliseconds(0), StepTiming::Off)->certificates, 1U);
}

TEST(SigningLoop, TellsTheTimeOfEachStepThatAddsUpToTheWhole) {
  const auto csrs = corpus();
  auto loop = make_loop(test::SoftwareCa(), csrs);
  ASSERT_TRUE(loop.has_value());
  const auto result = loop->run(milliseconds(5), StepTiming::On);
  ASSERT_TRUE(result.has_value());
  std::chrono::nanoseconds sum{};
  for (const auto& step : result->steps) {
    EXPECT_GT(step.count(), 0);
    sum += step;
  }
  EXPECT_LE(sum, result->wall);
}

TEST(SigningLoop, EndsWithASignatureThatDoesNotVerify) {
  const auto csrs = corpus();
  const EvpKey other_key = test::make_key(KeyType::EcP256);
  const test::SoftwareCa ca;
  const test::SoftwareCa other({.key = other_key.get()});
  const auto loop =
      SigningLoop::create(ca.certificate(),
                          std::make_unique<test::SoftwareSigningKey>(other.key(), KeyType::EcP256),
                          csrs);
  ASSERT_FALSE(loop.has_value());
  EXPECT_EQ(loop.error().code(), ErrorCode::HsmSignatureWrong);
}

TEST(SigningLoop, EndsWithACsrThatProvesNothing) {
  auto csrs = corpus();
  csrs.back().der.back() ^= 1;
  auto loop = make_loop(test::SoftwareCa(), csrs);
  ASSERT_TRUE(loop.has_value()) << "the first one is good";
  EXPECT_TRUE(loop->run(milliseconds(0), StepTiming::Off).has_value());
  const auto second = loop->run(milliseconds(0), StepTiming::Off);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), ErrorCode::CsrProofWrong);
}

TEST(SigningLoop, SignsForAnExpiredCaOfNoName) {
  const auto csrs = corpus();
  auto loop = make_loop(test::SoftwareCa(), csrs);
  ASSERT_TRUE(loop.has_value());
  const auto der = loop->make_certificate(csrs.front());
  ASSERT_TRUE(der.has_value());
  const unsigned char* cursor = der->data();
  const X509Certificate made(d2i_X509(nullptr, &cursor, static_cast<long>(der->size())));
  ASSERT_NE(made, nullptr);
  std::tm end{};
  ASSERT_EQ(ASN1_TIME_to_tm(X509_get0_notAfter(made.get()), &end), 1);
  EXPECT_EQ(end.tm_year, 70);
  EXPECT_EQ(end.tm_yday, 0);
}

}  // namespace
}  // namespace linesign
