#include "tests/support/tls_fixtures.h"

#include <cstdio>
#include <cstdlib>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "stations/transport/tls_handles.h"

namespace linesign::test {
namespace {

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "tls_fixtures: %s failed\n", what);
  std::abort();
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

std::string key_pem(EVP_PKEY* key) {
  const tls::Bio bio(BIO_new(BIO_s_mem()));
  require(PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
          "key to PEM");
  return text_of(bio.get());
}

std::string certificate_pem(X509* certificate) {
  const tls::Bio bio(BIO_new(BIO_s_mem()));
  require(PEM_write_bio_X509(bio.get(), certificate) == 1, "certificate to PEM");
  return text_of(bio.get());
}

Bytes certificate_der(X509* certificate) {
  Bytes der(static_cast<size_t>(i2d_X509(certificate, nullptr)));
  unsigned char* cursor = der.data();
  require(i2d_X509(certificate, &cursor) > 0, "certificate to DER");
  return der;
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  require(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1, value.c_str());
  X509_EXTENSION_free(extension);
}

tls::Certificate new_certificate(EVP_PKEY* key, const TlsLeafSpec& spec) {
  tls::Certificate certificate(X509_new());
  X509* raw = certificate.get();
  X509_set_version(raw, X509_VERSION_3);
  uint64_t serial = 0;
  require(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1, "serial");
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(raw), serial >> 1U);
  X509_time_adj_ex(X509_getm_notBefore(raw), spec.first_day, 0, nullptr);
  X509_time_adj_ex(X509_getm_notAfter(raw), spec.last_day, 0, nullptr);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(raw),
                             "CN",
                             MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(spec.common_name.c_str()),
                             -1,
                             -1,
                             0);
  require(X509_set_pubkey(raw, key) == 1, "public key");
  return certificate;
}

}  // namespace

struct TlsTestCa::Key {
  tls::Key key;
  tls::Certificate certificate;
};

Sha256 TlsLeaf::hash() const {
  Sha256 hash{};
  SHA256(der.data(), der.size(), hash.data());
  return hash;
}

TlsTestCa::TlsTestCa(const std::string& common_name) : key_(std::make_unique<Key>()) {
  key_->key.reset(EVP_EC_gen("P-256"));
  require(key_->key != nullptr, "CA key");
  key_->certificate =
      new_certificate(key_->key.get(), {.common_name = common_name, .dns_name = "", .purpose = ""});
  X509* raw = key_->certificate.get();
  X509_set_issuer_name(raw, X509_get_subject_name(raw));
  add_extension(raw, raw, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(raw, raw, NID_key_usage, "critical,keyCertSign");
  add_extension(raw, raw, NID_subject_key_identifier, "hash");
  require(X509_sign(raw, key_->key.get(), EVP_sha256()) > 0, "CA signature");
  certificate_.certificate_pem = certificate_pem(raw);
  certificate_.der = certificate_der(raw);
}

TlsTestCa::~TlsTestCa() = default;

TlsLeaf TlsTestCa::issue(const TlsLeafSpec& spec) const {
  const tls::Key key(EVP_EC_gen("P-256"));
  require(key != nullptr, "key");
  const tls::Certificate certificate = new_certificate(key.get(), spec);
  X509* raw = certificate.get();
  X509* issuer = key_->certificate.get();
  X509_set_issuer_name(raw, X509_get_subject_name(issuer));
  add_extension(raw, issuer, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(raw, issuer, NID_key_usage, "critical,digitalSignature");
  if (!spec.purpose.empty()) add_extension(raw, issuer, NID_ext_key_usage, spec.purpose);
  if (!spec.dns_name.empty())
    add_extension(raw, issuer, NID_subject_alt_name, "DNS:" + spec.dns_name);
  add_extension(raw, issuer, NID_authority_key_identifier, "keyid");
  require(X509_sign(raw, key_->key.get(), EVP_sha256()) > 0, "signature");
  return {certificate_pem(raw), key_pem(key.get()), certificate_der(raw)};
}

TlsLeaf TlsTestCa::issue_server() const {
  TlsLeaf leaf = issue({.common_name = "appliance",
                        .dns_name = std::string(kApplianceDnsName),
                        .purpose = "serverAuth"});
  leaf.certificate_pem += pem();
  return leaf;
}

}  // namespace linesign::test
