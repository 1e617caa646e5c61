// The contract of SigningKey, on every implementation.
#include "hsm/pkcs11/signing_key.h"

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "hsm/pkcs11/key_proof.h"
#include "tests/contract/ceremony_fixture.h"
#include "tests/support/software_ca.h"
#include "tests/support/software_signing_key.h"

namespace linesign {
namespace {

// A CA certificate and keys that sign for it, as many as there are threads.
class Signatory {
 public:
  Signatory() = default;
  Signatory(const Signatory&) = delete;
  Signatory& operator=(const Signatory&) = delete;
  virtual ~Signatory() = default;
  virtual CaCertificate certificate() const = 0;
  virtual Result<std::unique_ptr<SigningKey>> make_key() const = 0;
};

class SoftwareSignatory final : public Signatory {
 public:
  explicit SoftwareSignatory(KeyType type) : ca_(test::CaSpec{.key_type = type}), type_(type) {}
  CaCertificate certificate() const override { return ca_.certificate(); }
  Result<std::unique_ptr<SigningKey>> make_key() const override {
    return std::unique_ptr<SigningKey>(
        std::make_unique<test::SoftwareSigningKey>(ca_.key(), type_));
  }

 private:
  test::SoftwareCa ca_;
  KeyType type_;
};

class TokenSignatory final : public Signatory, private test::CeremonyFixture {
 public:
  explicit TokenSignatory(KeyType type) {
    const auto made = init_ca(plan(type), {});
    if (!made) ADD_FAILURE() << made.error().to_string();
    auto token = open_signing_token(type, 4);
    if (!token) ADD_FAILURE() << token.error().to_string();
    token_ = std::make_unique<SigningToken>(std::move(*token));
  }
  CaCertificate certificate() const override { return *CaCertificate::load(folder() / "ca.pem"); }
  Result<std::unique_ptr<SigningKey>> make_key() const override {
    return token_->make_signing_key();
  }

 private:
  void TestBody() override {}
  std::unique_ptr<SigningToken> token_;
};

struct Implementation {
  const char* name;
  std::function<std::unique_ptr<Signatory>()> make;
};

class SigningKeyContract : public testing::TestWithParam<Implementation> {
 protected:
  SigningKeyContract() : signatory_(GetParam().make()), ca_(signatory_->certificate()) {}

  Bytes make_digest(uint8_t fill) const {
    return Bytes(static_cast<size_t>(EVP_MD_get_size(signature_digest(ca_.key_type()))), fill);
  }

  std::unique_ptr<Signatory> signatory_;
  CaCertificate ca_;
};

TEST_P(SigningKeyContract, SignsForTheKeyOfTheCertificate) {
  const auto key = signatory_->make_key();
  ASSERT_TRUE(key.has_value()) << key.error().to_string();
  const auto proved = prove_key(**key, ca_);
  EXPECT_TRUE(proved.has_value()) << proved.error().to_string();
}

TEST_P(SigningKeyContract, SignsEachDigestForItself) {
  const auto key = signatory_->make_key();
  ASSERT_TRUE(key.has_value());
  auto verifier = SignatureVerifier::create(ca_);
  ASSERT_TRUE(verifier.has_value());
  const auto first = (*key)->sign(make_digest(1));
  const auto second = (*key)->sign(make_digest(2));
  ASSERT_TRUE(first.has_value());
  ASSERT_TRUE(second.has_value());
  EXPECT_TRUE(verifier->verify(make_digest(1), *first).has_value());
  EXPECT_TRUE(verifier->verify(make_digest(2), *second).has_value());
  EXPECT_FALSE(verifier->verify(make_digest(2), *first).has_value());
}

TEST_P(SigningKeyContract, FailsForADigestOfAnotherLengthAndGoesOn) {
  const auto key = signatory_->make_key();
  ASSERT_TRUE(key.has_value());
  if (is_rsa(ca_.key_type())) {
    EXPECT_FALSE((*key)->sign(Bytes(5, 1)).has_value());
  }
  const auto proved = prove_key(**key, ca_);
  EXPECT_TRUE(proved.has_value()) << proved.error().to_string();
}

TEST_P(SigningKeyContract, SignsInSeveralThreadsWithAKeyEach) {
  std::vector<std::unique_ptr<SigningKey>> keys;
  for (int i = 0; i < 4; ++i) {
    auto key = signatory_->make_key();
    ASSERT_TRUE(key.has_value());
    keys.push_back(std::move(*key));
  }
  std::vector<int> proved(keys.size());
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < keys.size(); ++i)
      threads.emplace_back([&, i] {
        for (int n = 0; n < 10; ++n) proved[i] += prove_key(*keys[i], ca_).has_value() ? 1 : 0;
      });
  }
  EXPECT_EQ(proved, std::vector<int>(keys.size(), 10));
}

template <typename T>
Implementation implementation(const char* name, KeyType type) {
  return {name, [type] { return std::unique_ptr<Signatory>(std::make_unique<T>(type)); }};
}

INSTANTIATE_TEST_SUITE_P(
    Keys,
    SigningKeyContract,
    testing::Values(implementation<SoftwareSignatory>("SoftwareP256", KeyType::EcP256),
                    implementation<SoftwareSignatory>("SoftwareP384", KeyType::EcP384),
                    implementation<SoftwareSignatory>("SoftwareRsa2048", KeyType::Rsa2048),
                    implementation<TokenSignatory>("TokenP256", KeyType::EcP256),
                    implementation<TokenSignatory>("TokenP384", KeyType::EcP384),
                    implementation<TokenSignatory>("TokenRsa2048", KeyType::Rsa2048)),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace linesign
