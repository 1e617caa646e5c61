#include "hsm/x509/rsa_modulus.h"

#include <gtest/gtest.h>

#include "hsm/x509/handles.h"
#include "tests/support/software_ca.h"

namespace linesign {
namespace {

Bytes modulus_of(EVP_PKEY* key) {
  BIGNUM* raw = nullptr;
  EVP_PKEY_get_bn_param(key, "n", &raw);
  const BigNumber n(raw);
  Bytes octets(static_cast<size_t>(BN_num_bytes(n.get())));
  BN_bn2bin(n.get(), octets.data());
  return octets;
}

// A prime as Infineon's library made them: k * M + (65537^a mod M), M the product of small primes.
BigNumber roca_prime(BN_CTX* context) {
  BigNumber product{BN_new()};
  BN_one(product.get());
  for (unsigned prime = 2; prime <= 701; ++prime) {  // the first 126 primes: 971 bits
    bool composite = false;
    for (unsigned i = 2; i * i <= prime; ++i) composite = composite || prime % i == 0;
    if (!composite) BN_mul_word(product.get(), prime);
  }
  const BigNumber generator{BN_new()};
  const BigNumber exponent{BN_new()};
  const BigNumber residue{BN_new()};
  const BigNumber factor{BN_new()};
  BigNumber candidate{BN_new()};
  BN_set_word(generator.get(), 65537);
  do {
    BN_rand(exponent.get(), 60, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY);
    BN_mod_exp(residue.get(), generator.get(), exponent.get(), product.get(), context);
    BN_rand(factor.get(), 1024 - BN_num_bits(product.get()), BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ANY);
    BN_mul(candidate.get(), factor.get(), product.get(), context);
    BN_add(candidate.get(), candidate.get(), residue.get());
  } while (BN_check_prime(candidate.get(), context, nullptr) != 1);
  return candidate;
}

TEST(RsaModulus, AcceptsHonestKeys) {
  for (const KeyType type : {KeyType::Rsa2048, KeyType::Rsa3072, KeyType::Rsa4096}) {
    EXPECT_TRUE(check_rsa_modulus(modulus_of(test::shared_key(type)))) << to_string(type);
  }
}

TEST(RsaModulus, RefusesEverySmallFactor) {
  const Bytes honest = modulus_of(test::shared_key(KeyType::Rsa2048));
  for (const unsigned prime : {3U, 5U, 167U, 173U, 743U, 751U}) {
    const BigNumber n{BN_bin2bn(honest.data(), static_cast<int>(honest.size()), nullptr)};
    BN_sub_word(n.get(), BN_mod_word(n.get(), prime));
    Bytes octets(honest.size());
    BN_bn2binpad(n.get(), octets.data(), static_cast<int>(octets.size()));
    const auto checked = check_rsa_modulus(octets);
    ASSERT_FALSE(checked) << prime;
    EXPECT_EQ(checked.error().code(), ErrorCode::CsrKeyInvalid);
  }
}

TEST(RsaModulus, RefusesKeysOfTheRocaFault) {
  BN_CTX* context = BN_CTX_new();
  const BigNumber n{BN_new()};
  const BigNumber p = roca_prime(context);
  const BigNumber q = roca_prime(context);
  BN_mul(n.get(), p.get(), q.get(), context);
  BN_CTX_free(context);
  Bytes octets(static_cast<size_t>(BN_num_bytes(n.get())));
  BN_bn2bin(n.get(), octets.data());
  const auto checked = check_rsa_modulus(octets);
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().detail().find("ROCA"), std::string::npos);
}

}  // namespace
}  // namespace linesign
