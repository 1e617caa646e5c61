#include "hsm/x509/proof_verifier.h"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include "hsm/x509/der_writer.h"
#include "tests/support/software_ca.h"
#include "tests/unit/hsm/x509/csr_forge.h"

namespace linesign {
namespace {

class ProofVerifierTest : public testing::Test {
 protected:
  ProofVerifierTest() : verifier_(*ProofVerifier::create()) {}

  // The error's code; Internal for success, because no test expects that.
  ErrorCode code_of(ByteView der) {
    const auto csr = parse_csr(der);
    if (!csr) return csr.error().code();
    const auto verified = verifier_.verify(*csr);
    return verified ? ErrorCode::Internal : verified.error().code();
  }
  bool passes(ByteView der) { return code_of(der) == ErrorCode::Internal; }

  ProofVerifier verifier_;
};

TEST_F(ProofVerifierTest, AcceptsEveryKeyTypeWithEveryDigest) {
  for (const KeyType type :
       {KeyType::EcP256, KeyType::EcP384, KeyType::Rsa2048, KeyType::Rsa3072, KeyType::Rsa4096}) {
    for (const char* digest : {"SHA256", "SHA384", "SHA512"}) {
      const Bytes der =
          test::make_csr_with(test::shared_key(type),
                              {.subject = {{"CN", "dev-1"}}, .extensions = {}, .digest = digest});
      EXPECT_TRUE(passes(der)) << to_string(type) << " " << digest;
    }
  }
}

TEST_F(ProofVerifierTest, RefusesTheSignatureOfAnotherKey) {
  for (const KeyType type : {KeyType::EcP256, KeyType::EcP384, KeyType::Rsa2048}) {
    const EvpKey other = test::make_key(type);
    const test::CsrParts parts = test::usual_parts(test::shared_key(type));
    EXPECT_EQ(code_of(test::forge_csr(parts, other.get())), ErrorCode::CsrProofWrong);
  }
}

TEST_F(ProofVerifierTest, RefusesTheSignatureOfAnotherRequest) {
  EVP_PKEY* const key = test::shared_key(KeyType::EcP256);
  const Bytes one = test::make_csr(key, "dev-1");
  const Bytes two = test::make_csr(key, "dev-2");
  const auto first = parse_csr(one);
  auto mixed = parse_csr(two);
  ASSERT_TRUE(first && mixed);
  mixed->signature = first->signature;
  EXPECT_EQ(verifier_.verify(*mixed).error().code(), ErrorCode::CsrProofWrong);
}

TEST_F(ProofVerifierTest, RefusesAPointOffTheCurveAndGoesOn) {
  for (const KeyType type : {KeyType::EcP256, KeyType::EcP384}) {
    EVP_PKEY* const key = test::shared_key(type);
    test::CsrParts parts = test::usual_parts(key);
    parts.spki.back() ^= 1U;
    EXPECT_EQ(code_of(test::forge_csr(parts, key)), ErrorCode::CsrKeyInvalid);
    EXPECT_TRUE(passes(test::make_csr(key, "dev-1")));
  }
}

TEST_F(ProofVerifierTest, RefusesCoordinatesThatAreNone) {
  EVP_PKEY* const key = test::shared_key(KeyType::EcP256);
  for (const uint8_t fill : Bytes{0x00, 0xff}) {
    test::CsrParts parts = test::usual_parts(key);
    std::fill(parts.spki.end() - 64, parts.spki.end(), fill);
    EXPECT_EQ(code_of(test::forge_csr(parts, key)), ErrorCode::CsrKeyInvalid);
  }
}

TEST_F(ProofVerifierTest, RefusesAnEcdsaSignatureOfNoSize) {
  const test::CsrParts parts = test::usual_parts(test::shared_key(KeyType::EcP256));
  EXPECT_EQ(code_of(test::wrap_csr(parts, Bytes{0x30, 6, 2, 1, 1, 2, 1, 1})),
            ErrorCode::CsrProofWrong);
  const Bytes huge = make_element(0x02, Bytes(80, 0x55));
  const Bytes one = {2, 1, 1};
  EXPECT_EQ(code_of(test::wrap_csr(parts, make_element(0x30, {huge, one}))),
            ErrorCode::CsrProofWrong);
}

TEST_F(ProofVerifierTest, RefusesRsaSignaturesOfOtherLengths) {
  EVP_PKEY* const key = test::shared_key(KeyType::Rsa2048);
  const test::CsrParts parts = test::usual_parts(key);
  for (const size_t size : {0U, 1U, 255U, 257U, 512U}) {
    EXPECT_EQ(code_of(test::wrap_csr(parts, Bytes(size, 1))), ErrorCode::CsrProofWrong) << size;
  }
  EXPECT_EQ(code_of(test::wrap_csr(parts, Bytes(256, 0xff))), ErrorCode::CsrProofWrong);
}

TEST_F(ProofVerifierTest, RefusesAModulusWithASmallFactor) {
  Bytes modulus(257, 0xff);  // 2^2048 - 1 is a multiple of 3
  modulus[0] = 0;
  test::CsrParts parts = test::usual_parts(test::shared_key(KeyType::Rsa2048));
  parts.spki = test::rsa_spki(modulus, Bytes{1, 0, 1});
  EXPECT_EQ(code_of(test::wrap_csr(parts, Bytes(256, 1))), ErrorCode::CsrKeyInvalid);
}

TEST_F(ProofVerifierTest, LeavesNoErrorsInTheQueue) {
  EVP_PKEY* const key = test::shared_key(KeyType::EcP256);
  test::CsrParts parts = test::usual_parts(key);
  parts.spki.back() ^= 1U;
  code_of(test::forge_csr(parts, key));
  code_of(test::wrap_csr(test::usual_parts(key), Bytes{0x30, 6, 2, 1, 1, 2, 1, 1}));
  EXPECT_EQ(ERR_peek_error(), 0UL);
}

}  // namespace
}  // namespace linesign
