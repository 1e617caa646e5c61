#include "hsm/pkcs11/key_proof.h"

#include <unistd.h>

#include <gtest/gtest.h>

#include "hsm/x509/csr.h"
#include "tests/support/software_ca.h"
#include "tests/support/software_signing_key.h"

namespace linesign {
namespace {

// Keeps what it is asked to sign, and inverts a bit of the signature if it is told to.
class WatchedKey final : public SigningKey {
 public:
  WatchedKey(EVP_PKEY* key, bool is_liar) : key_(key, KeyType::EcP256), is_liar_(is_liar) {}
  Result<Bytes> sign(ByteView digest) override {
    asked = to_bytes(digest);
    auto signature = key_.sign(digest);
    if (signature && is_liar_) signature->back() ^= 1;
    return signature;
  }

  Bytes asked;

 private:
  test::SoftwareSigningKey key_;
  bool is_liar_;
};

TEST(KeyProof, SignsWhatNamesTheProgramAndItsProcess) {
  const test::SoftwareCa ca;
  WatchedKey key(ca.key(), false);
  ASSERT_TRUE(prove_key(key, ca.certificate()).has_value());
  const std::string text = "linesign key proof, pid " + std::to_string(::getpid());
  EXPECT_EQ(key_proof_text(::getpid()), text);
  EXPECT_TRUE(equal(key.asked, sha256(as_bytes(text))));
  EXPECT_NE(text.front(), '\x30') << "a certificate's bytes begin with SEQUENCE";
}

TEST(KeyProof, CallsAWrongSignatureWhatItIs) {
  const test::SoftwareCa ca;
  WatchedKey key(ca.key(), true);
  const auto proved = prove_key(key, ca.certificate());
  ASSERT_FALSE(proved.has_value());
  EXPECT_EQ(proved.error().code(), ErrorCode::HsmSignatureWrong);
  EXPECT_NE(proved.error().detail().find(key_proof_text(::getpid())), std::string::npos);
}

}  // namespace
}  // namespace linesign
