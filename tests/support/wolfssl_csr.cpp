// Writes a CSR with wolfSSL, as many devices with a real-time system do.
//
// Usage: wolfssl_csr ec|rsa COMMON_NAME FILE [asks]
//
// `asks` adds a CA flag and key usages that are asked for.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/rsa.h>

namespace {

constexpr int kRsaBits = 2048;
constexpr int kRsaExponent = 65537;
constexpr int kP256Bytes = 32;

void require(int result, const char* what) {
  if (result >= 0) return;
  std::fprintf(stderr, "wolfssl_csr: %s: %d\n", what, result);
  std::exit(1);
}

void fill(Cert& cert, const char* common_name, bool asks) {
  require(wc_InitCert(&cert), "the request");
  cert.version = 0;  // 2, that of a certificate, is what wc_InitCert leaves there
  std::snprintf(cert.subject.country, sizeof cert.subject.country, "DE");
  std::snprintf(cert.subject.org, sizeof cert.subject.org, "Example AG");
  std::snprintf(cert.subject.commonName, sizeof cert.subject.commonName, "%s", common_name);
  if (!asks) return;
  cert.isCA = 1;
  require(wc_SetKeyUsage(&cert, "digitalSignature,keyCertSign"), "the key usage");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 64;
  const bool is_rsa = std::strcmp(argv[1], "rsa") == 0;
  WC_RNG random;
  require(wc_InitRng(&random), "entropy");
  RsaKey rsa;
  ecc_key ec;
  require(wc_InitRsaKey(&rsa, nullptr), "an RSA key");
  require(wc_ecc_init(&ec), "an EC key");
  require(is_rsa ? wc_MakeRsaKey(&rsa, kRsaBits, kRsaExponent, &random)
                 : wc_ecc_make_key(&random, kP256Bytes, &ec),
          "the key");

  Cert cert;
  fill(cert, argv[2], argc > 4);
  cert.sigType = is_rsa ? CTC_SHA256wRSA : CTC_SHA256wECDSA;
  void* const key = is_rsa ? static_cast<void*>(&rsa) : static_cast<void*>(&ec);
  const int kind = is_rsa ? RSA_TYPE : ECC_TYPE;
  unsigned char der[4096];
  const int info = wc_MakeCertReq_ex(&cert, der, sizeof der, kind, key);
  require(info, "the request");
  const int size = wc_SignCert_ex(cert.bodySz, cert.sigType, der, sizeof der, kind, key, &random);
  require(size, "the signature");
  std::FILE* const out = std::fopen(argv[3], "wb");
  if (out == nullptr) return 74;
  const auto bytes = static_cast<size_t>(size);
  const bool written = std::fwrite(der, 1, bytes, out) == bytes;
  return std::fclose(out) == 0 && written ? 0 : 74;
}
