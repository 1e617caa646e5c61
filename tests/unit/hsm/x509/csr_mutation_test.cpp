// No damaged CSR may yield a certificate: every cut and every single-bit flip is refused.
#include <gtest/gtest.h>

#include "hsm/x509/csr.h"
#include "hsm/x509/proof_verifier.h"
#include "tests/support/software_ca.h"

namespace linesign {
namespace {

struct MutationCase {
  const char* name;
  KeyType key_type;
  bool with_attributes;
};

class CsrMutations : public testing::TestWithParam<MutationCase> {
 protected:
  CsrMutations() : verifier_(*ProofVerifier::create()) {
    test::CsrSpec spec{.subject = {{"O", "Example"}, {"CN", "dev-1"}}, .extensions = {}};
    if (GetParam().with_attributes) {
      spec.extensions = {{"basicConstraints", "CA:TRUE"}, {"subjectAltName", "DNS:dev-1.example"}};
    }
    der_ = test::make_csr_with(test::shared_key(GetParam().key_type), spec);
  }

  bool passes(ByteView der) {
    const auto csr = parse_csr(der);
    return csr && verifier_.verify(*csr);
  }

  ProofVerifier verifier_;
  Bytes der_;
};

TEST_P(CsrMutations, TheWholeOnePasses) { EXPECT_TRUE(passes(der_)); }

TEST_P(CsrMutations, NoCutPasses) {
  for (size_t size = 0; size < der_.size(); ++size) {
    // A copy of exactly this size, so that a sanitizer sees reads past the end.
    const Bytes cut(der_.begin(), der_.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_FALSE(parse_csr(cut)) << size;
  }
}

TEST_P(CsrMutations, NoSingleBitFlipPasses) {
  for (size_t bit = 0; bit < der_.size() * 8; ++bit) {
    Bytes flipped = der_;
    flipped[bit / 8] ^= static_cast<uint8_t>(1U << (bit % 8));
    EXPECT_FALSE(passes(flipped)) << "byte " << bit / 8 << " bit " << bit % 8;
  }
  EXPECT_TRUE(passes(der_)) << "the verifier must still work after all those";
}

TEST_P(CsrMutations, NoByteSetToAnyExtremePasses) {
  for (size_t i = 0; i < der_.size(); ++i) {
    for (const uint8_t value : Bytes{0x00, 0x7f, 0x80, 0xff}) {
      if (der_[i] == value) continue;
      Bytes changed = der_;
      changed[i] = value;
      EXPECT_FALSE(passes(changed)) << "byte " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds,
                         CsrMutations,
                         testing::Values(MutationCase{"P256", KeyType::EcP256, false},
                                         MutationCase{"P256Attributes", KeyType::EcP256, true},
                                         MutationCase{"P384", KeyType::EcP384, false},
                                         MutationCase{"Rsa2048", KeyType::Rsa2048, false}),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace linesign
