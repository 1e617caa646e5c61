#include "hsm/x509/rsa_primes.h"

#include <algorithm>
#include <array>
#include <bit>
#include <bitset>
#include <cmath>
#include <utility>

#include "hsm/x509/csr.h"
#include "hsm/x509/openssl_error.h"

namespace linesign {
namespace {

using BnContext = std::unique_ptr<BN_CTX, FreeWith<BN_CTX_free>>;

constexpr int kFermatRounds = 100;

// A square is one modulo each of these; of other numbers one in 400 is.
constexpr std::array<unsigned, 6> kSieve = {64, 63, 65, 11, 17, 19};
constexpr size_t kLargestSieve = 65;
constexpr uint64_t kSieveProduct = 64ULL * 63 * 65 * 11 * 17 * 19;  // of 30 bits

using Squares = std::array<std::bitset<kLargestSieve>, kSieve.size()>;

Squares make_squares() {
  Squares squares;
  for (size_t i = 0; i < kSieve.size(); ++i) {
    for (unsigned root = 0; root < kSieve[i]; ++root) squares[i].set(root * root % kSieve[i]);
  }
  return squares;
}

bool may_be_square(uint64_t residue) {
  static const Squares kSquares = make_squares();
  for (size_t i = 0; i < kSieve.size(); ++i) {
    if (!kSquares[i].test(residue % kSieve[i])) return false;
  }
  return true;
}

tl::unexpected<Error> bignum_failed() { return fail(openssl_error("computing with an RSA key")); }

// The largest root with root * root <= number, by Newton's method from above.
bool square_root(BIGNUM* root, const BIGNUM* number, BN_CTX* context) {
  const BigNumber next{BN_new()};
  const int shift = std::max(0, (BN_num_bits(number) - 62) / 2 * 2);
  if (next == nullptr || BN_rshift(next.get(), number, shift) != 1) return false;
  const auto top = static_cast<double>(BN_get_word(next.get()));
  if (BN_set_word(root, static_cast<BN_ULONG>(std::sqrt(top)) + 2) != 1 ||
      BN_lshift(root, root, shift / 2) != 1)
    return false;
  for (;;) {
    if (BN_div(next.get(), nullptr, number, root, context) != 1 ||
        BN_add(next.get(), next.get(), root) != 1 || BN_rshift1(next.get(), next.get()) != 1)
      return false;
    if (BN_cmp(next.get(), root) >= 0) return true;
    if (BN_copy(root, next.get()) == nullptr) return false;
  }
}

// Is root^2 - modulus a square? Then the primes are root + and - its root.
Result<bool> is_half_sum(const BIGNUM* half_sum, const BIGNUM* modulus, BN_CTX* context) {
  const BigNumber square{BN_new()};
  const BigNumber root{BN_new()};
  if (square == nullptr || root == nullptr || BN_sqr(square.get(), half_sum, context) != 1 ||
      BN_sub(square.get(), square.get(), modulus) != 1)
    return bignum_failed();
  if (BN_is_negative(square.get()) == 1) return false;
  if (BN_is_zero(square.get()) == 1) return true;
  if (!square_root(root.get(), square.get(), context) ||
      BN_sqr(root.get(), root.get(), context) != 1)
    return bignum_failed();
  return BN_cmp(root.get(), square.get()) == 0;
}

// Little-endian, without zeros at the end.
using Words = std::vector<uint64_t>;

Words to_limbs(const BIGNUM* number) {
  Bytes octets(static_cast<size_t>(BN_num_bytes(number)));
  BN_bn2bin(number, octets.data());
  Words words((octets.size() + 7) / 8);
  for (size_t i = 0; i < octets.size(); ++i) {
    const size_t from_end = octets.size() - 1 - i;
    words[from_end / 8] |= uint64_t{octets[i]} << (from_end % 8 * 8);
  }
  return words;
}

bool is_less(const Words& a, const Words& b) {
  if (a.size() != b.size()) return a.size() < b.size();
  return std::lexicographical_compare(a.rbegin(), a.rend(), b.rbegin(), b.rend());
}

// REQUIRES: a >= b.
void subtract(Words& a, const Words& b) {
  bool borrow = false;
  size_t i = 0;
  for (; i < b.size(); ++i) {
    uint64_t difference = 0;
    const bool is_below = __builtin_sub_overflow(a[i], b[i], &difference);
    const bool is_all = __builtin_sub_overflow(difference, uint64_t{borrow}, &a[i]);
    borrow = is_below || is_all;
  }
  for (; borrow; ++i) borrow = __builtin_sub_overflow(a[i], uint64_t{1}, &a[i]);
  while (!a.empty() && a.back() == 0) a.pop_back();
}

// REQUIRES: not zero.
void make_odd(Words& words) {
  size_t zeros = 0;
  while (words[zeros] == 0) ++zeros;
  if (zeros > 0) words.erase(words.begin(), words.begin() + static_cast<ptrdiff_t>(zeros));
  const auto shift = static_cast<unsigned>(std::countr_zero(words.front()));
  if (shift == 0) return;
  const size_t last = words.size() - 1;
  for (size_t i = 0; i < last; ++i) words[i] = (words[i] >> shift) | (words[i + 1] << (64 - shift));
  words[last] >>= shift;
  if (words[last] == 0) words.pop_back();
}

// OpenSSL's BN_gcd takes eight times as long, because it hides what it computes with. REQUIRES:
// `odd` is odd.
bool are_coprime(Words number, Words odd) {
  while (!number.empty()) {
    make_odd(number);
    if (is_less(number, odd)) number.swap(odd);
    subtract(number, odd);
  }
  return odd.size() == 1 && odd.front() == 1;
}

}  // namespace

Result<void> check_prime_distance(ByteView modulus) {
  const BnContext context{BN_CTX_new()};
  const BigNumber n{BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr)};
  const BigNumber root{BN_new()};
  if (context == nullptr || n == nullptr || root == nullptr ||
      !square_root(root.get(), n.get(), context.get()))
    return bignum_failed();
  const uint64_t n_rest = BN_mod_word(n.get(), kSieveProduct);
  uint64_t rest = BN_mod_word(root.get(), kSieveProduct);
  for (int round = 0; round <= kFermatRounds; ++round) {
    if (may_be_square((rest * rest + kSieveProduct - n_rest) % kSieveProduct)) {
      LS_TRY(const bool is_found, is_half_sum(root.get(), n.get(), context.get()));
      if (is_found)
        return fail(ErrorCode::CsrKeyWeak, "the primes of the modulus are too close to each other");
    }
    if (BN_add_word(root.get(), 1) != 1) return bignum_failed();
    rest = (rest + 1) % kSieveProduct;
  }
  return {};
}

bool SharedPrimes::is_known(const Sha256& key) const {
  const auto has = [&](const Group& group) {
    return std::find(group.keys.begin(), group.keys.end(), key) != group.keys.end();
  };
  return has(current_) || has(former_);
}

Result<bool> SharedPrimes::shares_a_prime(const BIGNUM* modulus, BN_CTX* context) const {
  const BigNumber rest{BN_new()};
  const BigNumber all{BN_new()};
  if (rest == nullptr || all == nullptr || BN_one(all.get()) != 1) return bignum_failed();
  for (const Group* group : {&current_, &former_}) {
    if (group->product == nullptr) continue;
    if (BN_nnmod(rest.get(), group->product.get(), modulus, context) != 1 ||
        BN_mod_mul(all.get(), all.get(), rest.get(), modulus, context) != 1)
      return bignum_failed();
  }
  return !are_coprime(to_limbs(all.get()), to_limbs(modulus));
}

Result<void> SharedPrimes::remember(const Sha256& key, const BIGNUM* modulus, BN_CTX* context) {
  if (current_.keys.size() == kPrimesGroup) former_ = std::exchange(current_, {});
  if (current_.product == nullptr) {
    current_.product.reset(BN_dup(modulus));
    if (current_.product == nullptr) return bignum_failed();
  } else if (BN_mul(current_.product.get(), current_.product.get(), modulus, context) != 1) {
    return bignum_failed();
  }
  current_.keys.push_back(key);
  return {};
}

Result<void> SharedPrimes::check(ByteView modulus) {
  const Sha256 key = sha256(modulus);
  const BnContext context{BN_CTX_new()};
  const BigNumber n{BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr)};
  if (context == nullptr || n == nullptr) return bignum_failed();
  const std::lock_guard lock(mutex_);
  if (is_known(key)) return {};
  LS_TRY(const bool is_shared, shares_a_prime(n.get(), context.get()));
  if (is_shared)
    return fail(ErrorCode::CsrKeyWeak,
                "the modulus shares a prime with the key of another request");
  return remember(key, n.get(), context.get());
}

}  // namespace linesign
