// RsaKeyPool: many different RSA keys from few primes: every pair of primes is a modulus.
//
// Whoever sees two keys of a pool can compute both private keys. They are for measuring only, where
// nobody keeps a private key, and where a key of its own for each device would take 50 to 100 ms.
//
// Errors   CryptoFailed
// Threads  make() grows the pool and is for one thread; csr() is const and safe from many
// Source   RFC 8017 sections 3.1, 3.2; RFC 2986 section 4
#ifndef LINESIGN_APPLIANCE_BENCH_RSA_KEY_POOL_H_
#define LINESIGN_APPLIANCE_BENCH_RSA_KEY_POOL_H_

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include <openssl/bn.h>

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

namespace linesign::bench {

class RsaKeyPool final {
 public:
  // Enough primes for `keys` keys of `bits` bits, found by `threads` threads.
  static Result<RsaKeyPool> make(int bits, size_t keys, unsigned threads);

  // The CSR (DER, subject CN=<name>, SHA-256) of the key with this number. REQUIRES: below `keys`.
  Result<Bytes> csr(size_t key, std::string_view common_name) const;

 private:
  struct FreeNumber {
    void operator()(BIGNUM* number) const { BN_clear_free(number); }
  };
  using Number = std::unique_ptr<BIGNUM, FreeNumber>;

  explicit RsaKeyPool(std::vector<Number> primes) : primes_(std::move(primes)) {}
  std::vector<Number> primes_;
};

}  // namespace linesign::bench

#endif  // LINESIGN_APPLIANCE_BENCH_RSA_KEY_POOL_H_
