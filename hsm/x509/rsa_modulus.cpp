#include "hsm/x509/rsa_modulus.h"

#include <array>
#include <cstdint>
#include <vector>

namespace linesign {
namespace {

constexpr unsigned kPrimeLimit = 752;
constexpr unsigned kRocaPrimeLimit = 168;
constexpr unsigned kRocaGenerator = 65537;

// Which residues modulo `prime` are powers of 65537; one bit each.
struct RocaPrime {
  std::array<uint64_t, 3> powers{};
  bool is_power(unsigned residue) const { return (powers[residue / 64] >> (residue % 64)) & 1U; }
};

// A product of some primes that fits 32 bits: one long division serves them all.
struct PrimeGroup {
  uint32_t product = 1;
  std::vector<unsigned> primes;
};

struct Tables {
  std::vector<PrimeGroup> groups;
  std::array<RocaPrime, kRocaPrimeLimit> roca{};  // by prime
};

RocaPrime make_roca_prime(unsigned prime) {
  RocaPrime row;
  unsigned power = 1;
  while (!row.is_power(power)) {
    row.powers[power / 64] |= uint64_t{1} << (power % 64);
    power = power * (kRocaGenerator % prime) % prime;
  }
  return row;
}

bool is_prime(unsigned number) {
  for (unsigned i = 2; i * i <= number; ++i) {
    if (number % i == 0) return false;
  }
  return true;
}

Tables make_tables() {
  Tables tables;
  tables.groups.emplace_back();
  for (unsigned prime = 3; prime < kPrimeLimit; ++prime) {
    if (!is_prime(prime)) continue;
    if (uint64_t{tables.groups.back().product} * prime > UINT32_MAX) tables.groups.emplace_back();
    tables.groups.back().product *= prime;
    tables.groups.back().primes.push_back(prime);
    if (prime < kRocaPrimeLimit) tables.roca[prime] = make_roca_prime(prime);
  }
  return tables;
}

std::vector<uint32_t> to_words(ByteView modulus) {
  std::vector<uint32_t> words((modulus.size() + 3) / 4);
  for (size_t i = 0; i < modulus.size(); ++i) {
    const size_t from_end = modulus.size() - 1 - i;
    uint32_t& word = words[words.size() - 1 - from_end / 4];
    word = (word << 8U) | modulus[i];
  }
  return words;
}

uint32_t remainder(const std::vector<uint32_t>& words, uint32_t divisor) {
  uint64_t rest = 0;
  for (const uint32_t word : words) rest = ((rest << 32U) | word) % divisor;
  return static_cast<uint32_t>(rest);
}

}  // namespace

Result<void> check_rsa_modulus(ByteView modulus) {
  static const Tables kTables = make_tables();
  const std::vector<uint32_t> words = to_words(modulus);
  bool roca = true;
  for (const PrimeGroup& group : kTables.groups) {
    const uint32_t rest = remainder(words, group.product);
    for (const unsigned prime : group.primes) {
      const unsigned residue = rest % prime;
      if (residue == 0) return fail(ErrorCode::CsrKeyInvalid, "the modulus has a small factor");
      if (prime < kRocaPrimeLimit && !kTables.roca[prime].is_power(residue)) roca = false;
    }
  }
  if (roca) return fail(ErrorCode::CsrKeyWeak, "the key has the ROCA fault (CVE-2017-15361)");
  return {};
}

}  // namespace linesign
