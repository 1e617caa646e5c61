#include "hsm/x509/rsa_primes.h"

#include <vector>

#include <gtest/gtest.h>

#include "hsm/x509/proof_verifier.h"
#include "tests/support/software_ca.h"

namespace linesign {
namespace {

using BnContext = std::unique_ptr<BN_CTX, FreeWith<BN_CTX_free>>;

Bytes octets_of(const BIGNUM* number) {
  Bytes octets(static_cast<size_t>(BN_num_bytes(number)));
  BN_bn2bin(number, octets.data());
  return octets;
}

BigNumber factor_of(EVP_PKEY* key, const char* name) {
  BIGNUM* raw = nullptr;
  EVP_PKEY_get_bn_param(key, name, &raw);
  return BigNumber(raw);
}

Bytes modulus_of_key(EVP_PKEY* key) { return octets_of(factor_of(key, "n").get()); }

class RsaPrimes : public testing::Test {
 protected:
  BigNumber prime(int bits = 1024) const {
    BigNumber number{BN_new()};
    if (BN_generate_prime_ex(number.get(), bits, 0, nullptr, nullptr, nullptr) != 1) std::abort();
    return number;
  }

  // The first prime that is at least `distance` above.
  BigNumber prime_above(const BIGNUM* number, const BIGNUM* distance) const {
    BigNumber next{BN_dup(number)};
    BN_add(next.get(), next.get(), distance);
    BN_set_bit(next.get(), 0);
    while (BN_check_prime(next.get(), context_.get(), nullptr) != 1) BN_add_word(next.get(), 2);
    return next;
  }

  Bytes product(const BIGNUM* p, const BIGNUM* q) const {
    const BigNumber n{BN_new()};
    BN_mul(n.get(), p, q, context_.get());
    return octets_of(n.get());
  }

  static ErrorCode code_of(const Result<void>& result) {
    return result ? ErrorCode{} : result.error().code();
  }

  BnContext context_{BN_CTX_new()};
};

TEST_F(RsaPrimes, OfHonestKeysAreFarFromEachOther) {
  for (const KeyType type : {KeyType::Rsa2048, KeyType::Rsa3072, KeyType::Rsa4096})
    EXPECT_TRUE(check_prime_distance(modulus_of_key(test::shared_key(type)))) << to_string(type);
}

TEST_F(RsaPrimes, ThatAreEqualAreFound) {
  const BigNumber p = prime();
  EXPECT_EQ(code_of(check_prime_distance(product(p.get(), p.get()))), ErrorCode::CsrKeyWeak);
}

TEST_F(RsaPrimes, ThatAreNextToEachOtherAreFound) {
  const BigNumber p = prime();
  const BigNumber q = prime_above(p.get(), BN_value_one());
  EXPECT_EQ(code_of(check_prime_distance(product(p.get(), q.get()))), ErrorCode::CsrKeyWeak);
}

TEST_F(RsaPrimes, AreFoundThatAHundredRoundsFind) {
  // Primes of 1024 bits that are 2^b apart take 2^(2b - 1027) rounds, or one and a half times that.
  const BigNumber p = prime();
  for (const int bits : {100, 400, 500, 514, 515, 516, 518}) {
    const BigNumber distance{BN_new()};
    BN_set_bit(distance.get(), bits);
    const BigNumber q = prime_above(p.get(), distance.get());
    const bool is_found = !check_prime_distance(product(p.get(), q.get()));
    EXPECT_EQ(is_found, bits <= 516) << bits;
  }
}

TEST_F(RsaPrimes, ThatTwoKeysShareAreFound) {
  const BigNumber shared = prime();
  const BigNumber p = prime();
  const BigNumber q = prime();
  SharedPrimes primes;
  EXPECT_TRUE(primes.check(modulus_of_key(test::shared_key(KeyType::Rsa2048))));
  EXPECT_TRUE(primes.check(product(shared.get(), p.get())));
  EXPECT_EQ(code_of(primes.check(product(q.get(), shared.get()))), ErrorCode::CsrKeyWeak);
  EXPECT_TRUE(primes.check(product(shared.get(), p.get()))) << "the same key may come again";
}

TEST_F(RsaPrimes, OfTwoOtherKeysAreFound) {
  const BigNumber a = prime();
  const BigNumber b = prime();
  const BigNumber c = prime();
  const BigNumber d = prime();
  SharedPrimes primes;
  EXPECT_TRUE(primes.check(product(a.get(), b.get())));
  EXPECT_TRUE(primes.check(product(c.get(), d.get())));
  EXPECT_EQ(code_of(primes.check(product(a.get(), c.get()))), ErrorCode::CsrKeyWeak);
}

TEST_F(RsaPrimes, OfKeysOfDifferentSizesAreFound) {
  const BigNumber shared = prime();
  const BigNumber p = prime();
  const BigNumber q = prime(2048);
  SharedPrimes primes;
  EXPECT_TRUE(primes.check(product(shared.get(), q.get())));
  EXPECT_EQ(code_of(primes.check(product(shared.get(), p.get()))), ErrorCode::CsrKeyWeak);
}

TEST_F(RsaPrimes, AreRememberedForAGroupOfKeysAndForgottenAfterTwo) {
  constexpr int kBits = 256;  // what is remembered does not depend on the size
  const BigNumber shared = prime(kBits);
  SharedPrimes primes;
  const auto check_others = [&](size_t count) {
    for (size_t i = 0; i < count; ++i)
      EXPECT_TRUE(primes.check(product(prime(kBits).get(), prime(kBits).get())));
  };
  EXPECT_TRUE(primes.check(product(shared.get(), prime(kBits).get())));
  check_others(kPrimesGroup);
  EXPECT_EQ(code_of(primes.check(product(shared.get(), prime(kBits).get()))),
            ErrorCode::CsrKeyWeak);
  check_others(2 * kPrimesGroup);
  EXPECT_TRUE(primes.check(product(shared.get(), prime(kBits).get())));
}

}  // namespace
}  // namespace linesign
