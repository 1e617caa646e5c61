#include "appliance/bench/rsa_key_pool.h"

#include <array>
#include <optional>
#include <utility>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "appliance/bench/parallel.h"
#include "stations/client/der.h"

namespace linesign::bench {
namespace {

using namespace linesign::client;  // the DER writer

template <auto Function>
struct FreeWith {
  template <typename T>
  void operator()(T* pointer) const {
    Function(pointer);
  }
};
using Numbers = std::unique_ptr<BN_CTX, FreeWith<BN_CTX_free>>;
using Key = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, FreeWith<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, FreeWith<OSSL_PARAM_free>>;

constexpr unsigned kExponent = 65537;
// AlgorithmIdentifiers rsaEncryption and sha256WithRSAEncryption with NULL, RFC 4055
constexpr std::array<uint8_t, 15> kRsaKey = {
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
constexpr std::array<uint8_t, 15> kRsaSha256 = {
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00};
constexpr std::array<uint8_t, 5> kCommonName = {0x06, 0x03, 0x55, 0x04, 0x03};
constexpr std::array<uint8_t, 3> kVersion0 = {0x02, 0x01, 0x00};
constexpr std::array<uint8_t, 2> kNoAttributes = {0xa0, 0x00};
constexpr std::array<uint8_t, 1> kNoUnusedBits = {0x00};

tl::unexpected<Error> failure(std::string_view doing) {
  return fail(ErrorCode::CryptoFailed, std::string(doing));
}

Bytes der_integer(const BIGNUM* number) {
  Bytes content(static_cast<size_t>(BN_num_bytes(number)) + 1);  // a 0 keeps it positive
  BN_bn2bin(number, content.data() + 1);
  const bool needs_zero = content.size() == 1 || (content[1] & 0x80) != 0;
  return der_value(kDerInteger, ByteView(content).subspan(needs_zero ? 0 : 1));
}

// What a private key is made of; owned by the BN_CTX that it was computed in.
struct KeyNumbers {
  BIGNUM* n;
  BIGNUM* e;
  BIGNUM* d;
  BIGNUM* d_p;
  BIGNUM* d_q;
  BIGNUM* q_inverse;
};

std::optional<KeyNumbers> compute(const BIGNUM* p, const BIGNUM* q, BN_CTX* context) {
  KeyNumbers key{};
  for (BIGNUM** number : {&key.n, &key.e, &key.d, &key.d_p, &key.d_q, &key.q_inverse})
    *number = BN_CTX_get(context);
  BIGNUM* p1 = BN_CTX_get(context);
  BIGNUM* q1 = BN_CTX_get(context);
  BIGNUM* phi = BN_CTX_get(context);
  if (phi == nullptr) return {};
  const bool is_good =
      BN_mul(key.n, p, q, context) == 1 && BN_set_word(key.e, kExponent) == 1 &&
      BN_sub(p1, p, BN_value_one()) == 1 && BN_sub(q1, q, BN_value_one()) == 1 &&
      BN_mul(phi, p1, q1, context) == 1 && BN_mod_inverse(key.d, key.e, phi, context) != nullptr &&
      BN_mod(key.d_p, key.d, p1, context) == 1 && BN_mod(key.d_q, key.d, q1, context) == 1 &&
      BN_mod_inverse(key.q_inverse, q, p, context) != nullptr;
  if (!is_good) return {};
  return key;
}

Key load_key(const KeyNumbers& numbers, const BIGNUM* p, const BIGNUM* q) {
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  const std::array<std::pair<const char*, const BIGNUM*>, 8> parts = {
      {{OSSL_PKEY_PARAM_RSA_N, numbers.n},
       {OSSL_PKEY_PARAM_RSA_E, numbers.e},
       {OSSL_PKEY_PARAM_RSA_D, numbers.d},
       {OSSL_PKEY_PARAM_RSA_FACTOR1, p},
       {OSSL_PKEY_PARAM_RSA_FACTOR2, q},
       {OSSL_PKEY_PARAM_RSA_EXPONENT1, numbers.d_p},
       {OSSL_PKEY_PARAM_RSA_EXPONENT2, numbers.d_q},
       {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, numbers.q_inverse}}};
  for (const auto& [name, number] : parts)
    if (!builder || OSSL_PARAM_BLD_push_BN(builder.get(), name, number) != 1) return {};
  const Params params(OSSL_PARAM_BLD_to_param(builder.get()));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, params.get()) != 1)
    return {};
  return Key(key);
}

Result<Bytes> sign(EVP_PKEY* key, ByteView message) {
  const DigestContext context(EVP_MD_CTX_new());
  auto length = static_cast<size_t>(EVP_PKEY_get_size(key));
  Bytes signature(length);
  if (!context ||
      EVP_DigestSignInit_ex(context.get(), nullptr, "SHA256", nullptr, nullptr, key, nullptr) !=
          1 ||
      EVP_DigestSign(context.get(), signature.data(), &length, message.data(), message.size()) != 1)
    return failure("sign a CSR");
  signature.resize(length);
  return signature;
}

Bytes request_info(const KeyNumbers& numbers, std::string_view common_name) {
  const Bytes text = der_value(kDerUtf8String, as_bytes(common_name));
  const Bytes attribute = der_value(kDerSequence, {kCommonName, text});
  const Bytes relative_name = der_value(kDerSet, ByteView(attribute));
  const Bytes name = der_value(kDerSequence, ByteView(relative_name));
  const Bytes public_key =
      der_value(kDerSequence, {der_integer(numbers.n), der_integer(numbers.e)});
  const Bytes bits = der_value(kDerBitString, {kNoUnusedBits, public_key});
  const Bytes key_info = der_value(kDerSequence, {kRsaKey, bits});
  return der_value(kDerSequence, {kVersion0, name, key_info, kNoAttributes});
}

// The pairs in order: (0,1), (0,2), (1,2), (0,3), ...
std::pair<size_t, size_t> pair_of(size_t key) {
  size_t second = 1;
  while (key >= second) key -= second++;
  return {key, second};
}

Result<BIGNUM*> make_prime(int bits) {
  const Numbers context(BN_CTX_new());
  BIGNUM* prime = BN_new();
  // Both upper bits of such a prime are set, so that a product has exactly twice its bits.
  while (prime != nullptr && context &&
         BN_generate_prime_ex2(prime, bits, 0, nullptr, nullptr, nullptr, context.get()) == 1) {
    if (BN_mod_word(prime, kExponent) != 1) return prime;
  }
  BN_free(prime);
  return failure("make a prime");
}

}  // namespace

Result<RsaKeyPool> RsaKeyPool::make(int bits, size_t keys, unsigned threads) {
  size_t count = 2;
  while (count * (count - 1) / 2 < keys) ++count;
  std::vector<Number> primes(count);
  const auto make_one = [&](size_t i) -> Result<void> {
    LS_TRY(BIGNUM * prime, make_prime(bits / 2));
    primes[i].reset(prime);
    return {};
  };
  LS_CHECK(for_each_in_parallel(count, threads, make_one));
  return RsaKeyPool(std::move(primes));
}

Result<Bytes> RsaKeyPool::csr(size_t key, std::string_view common_name) const {
  const auto [first, second] = pair_of(key);
  // OpenSSL wants the larger one first.
  const BIGNUM* p = primes_[first].get();
  const BIGNUM* q = primes_[second].get();
  if (BN_cmp(p, q) < 0) std::swap(p, q);
  const Numbers context(BN_CTX_new());
  if (!context) return failure("make an RSA key");
  BN_CTX_start(context.get());
  const auto numbers = compute(p, q, context.get());
  const Key made = numbers ? load_key(*numbers, p, q) : nullptr;
  if (!numbers || !made) {
    BN_CTX_end(context.get());
    return failure("make an RSA key");
  }
  const Bytes info = request_info(*numbers, common_name);
  BN_CTX_end(context.get());
  LS_TRY(const Bytes signature, sign(made.get(), info));
  const Bytes bits = der_value(kDerBitString, {kNoUnusedBits, signature});
  return der_value(kDerSequence, {info, kRsaSha256, bits});
}

}  // namespace linesign::bench
