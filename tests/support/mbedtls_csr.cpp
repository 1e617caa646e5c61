// Writes a CSR with Mbed TLS, as devices with ESP-IDF or Zephyr do.
//
// Usage: mbedtls_csr ec|rsa SUBJECT FILE [asks]
//
// SUBJECT is "C=DE,O=Example,CN=dev-1"; `asks` adds a key usage that is asked for. Debian
// 12's 2.28.3 writes ecdsa-with-SHA256 with NULL parameters, Debian 13's 3.6 without.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/rsa.h>
#include <mbedtls/x509_csr.h>

namespace {

constexpr unsigned kRsaBits = 2048;
constexpr int kRsaExponent = 65537;

void require(int result, const char* what) {
  if (result >= 0) return;
  std::fprintf(stderr, "mbedtls_csr: %s: -0x%04x\n", what, static_cast<unsigned>(-result));
  std::exit(1);
}

void make_key(mbedtls_pk_context& key, bool is_rsa, mbedtls_ctr_drbg_context& random) {
  const auto kind = is_rsa ? MBEDTLS_PK_RSA : MBEDTLS_PK_ECKEY;
  require(mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(kind)), "the kind of key");
  require(is_rsa
              ? mbedtls_rsa_gen_key(
                    mbedtls_pk_rsa(key), mbedtls_ctr_drbg_random, &random, kRsaBits, kRsaExponent)
              : mbedtls_ecp_gen_key(
                    MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key), mbedtls_ctr_drbg_random, &random),
          "the key");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 64;
  mbedtls_entropy_context entropy;
  mbedtls_ctr_drbg_context random;
  mbedtls_entropy_init(&entropy);
  mbedtls_ctr_drbg_init(&random);
  require(mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, nullptr, 0), "entropy");
  mbedtls_pk_context key;
  mbedtls_pk_init(&key);
  make_key(key, std::strcmp(argv[1], "rsa") == 0, random);

  mbedtls_x509write_csr csr;
  mbedtls_x509write_csr_init(&csr);
  mbedtls_x509write_csr_set_md_alg(&csr, MBEDTLS_MD_SHA256);
  mbedtls_x509write_csr_set_key(&csr, &key);
  require(mbedtls_x509write_csr_set_subject_name(&csr, argv[2]), "the subject");
  if (argc > 4) {
    require(mbedtls_x509write_csr_set_key_usage(&csr, MBEDTLS_X509_KU_DIGITAL_SIGNATURE),
            "the key usage");
  }
  unsigned char der[4096];
  const int size =
      mbedtls_x509write_csr_der(&csr, der, sizeof der, mbedtls_ctr_drbg_random, &random);
  require(size, "the CSR");
  std::FILE* const out = std::fopen(argv[3], "wb");
  if (out == nullptr) return 74;
  // It stands at the end of the buffer.
  const auto bytes = static_cast<size_t>(size);
  const bool written = std::fwrite(der + sizeof der - bytes, 1, bytes, out) == bytes;
  return std::fclose(out) == 0 && written ? 0 : 74;
}
