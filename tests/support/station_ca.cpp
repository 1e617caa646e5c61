#include "tests/support/station_ca.h"

#include <cstdio>
#include <cstdlib>

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

namespace linesign::test {

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "test support: %s failed\n", what);
  std::abort();
}

tls::Key new_key() {
  tls::Key key(EVP_EC_gen("P-256"));
  require(key != nullptr, "a new key");
  return key;
}

tls::Certificate new_certificate(EVP_PKEY* key,
                                 const std::string& common_name,
                                 int first_day,
                                 int last_day) {
  tls::Certificate certificate(X509_new());
  X509* raw = certificate.get();
  X509_set_version(raw, X509_VERSION_3);
  uint64_t serial = 0;
  require(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1, "serial");
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(raw), serial >> 1U);
  X509_time_adj_ex(X509_getm_notBefore(raw), first_day, 0, nullptr);
  X509_time_adj_ex(X509_getm_notAfter(raw), last_day, 0, nullptr);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(raw),
                             "CN",
                             MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()),
                             -1,
                             -1,
                             0);
  require(X509_set_pubkey(raw, key) == 1, "public key");
  return certificate;
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  require(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1, value.c_str());
  X509_EXTENSION_free(extension);
}

Bytes certificate_der(X509* certificate) {
  Bytes der(static_cast<size_t>(i2d_X509(certificate, nullptr)));
  unsigned char* cursor = der.data();
  require(i2d_X509(certificate, &cursor) > 0, "certificate to DER");
  return der;
}

MemoryCa::MemoryCa(const std::string& common_name)
    : key_(new_key()), certificate_(new_certificate(key_.get(), common_name, -1, 30)) {
  X509* raw = certificate_.get();
  add_extension(raw, raw, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(raw, raw, NID_key_usage, "critical,keyCertSign");
  add_extension(raw, raw, NID_subject_key_identifier, "hash");
  sign(raw);
}

void MemoryCa::sign(X509* certificate) const {
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate_.get()));
  require(X509_sign(certificate, key_.get(), EVP_sha256()) > 0, "signature");
}

}  // namespace linesign::test
