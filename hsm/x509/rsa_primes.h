// RSA keys whose primes can be found: too close to each other, or shared with another key.
//
// Both happen to devices that make keys with a bad source of random numbers, and anybody who has
// the certificates can look for them.
//
// Errors   CsrKeyWeak; CryptoFailed
// Limits   SharedPrimes remembers kPrimesGroup to twice as many keys
// Source   Fermat's factorisation, as in CVE-2022-26320; Heninger, Durumeric, Wustrow, Halderman:
//          "Mining your Ps and Qs" (2012); Stein's binary algorithm for the greatest common divisor
#ifndef LINESIGN_HSM_X509_RSA_PRIMES_H_
#define LINESIGN_HSM_X509_RSA_PRIMES_H_

#include <mutex>
#include <vector>

#include "hsm/x509/handles.h"
#include "protocol/base/bytes.h"
#include "protocol/base/ids.h"
#include "protocol/base/result.h"

namespace linesign {

// Fermat's method, 100 rounds. `modulus` is big-endian.
Result<void> check_prime_distance(ByteView modulus);

constexpr size_t kPrimesGroup = 16;

// Threads  safe anywhere
class SharedPrimes final {
 public:
  // Remembers the modulus (big-endian), unless it shares a prime. The same one may come again.
  Result<void> check(ByteView modulus);

 private:
  struct Group {
    BigNumber product;
    std::vector<Sha256> keys;
  };

  bool is_known(const Sha256& key) const;
  Result<bool> shares_a_prime(const BIGNUM* modulus, BN_CTX* context) const;
  Result<void> remember(const Sha256& key, const BIGNUM* modulus, BN_CTX* context);

  std::mutex mutex_;
  Group current_;
  Group former_;
};

}  // namespace linesign

#endif  // LINESIGN_HSM_X509_RSA_PRIMES_H_
