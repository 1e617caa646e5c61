#include "tests/support/tls_fixtures.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "tests/support/station_ca.h"

namespace linesign::test {
namespace {

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

}  // namespace

Sha256 TlsLeaf::hash() const {
  Sha256 hash{};
  SHA256(der.data(), der.size(), hash.data());
  return hash;
}

TlsTestCa::TlsTestCa(const std::string& common_name)
    : ca_(std::make_unique<MemoryCa>(common_name)) {
  certificate_.certificate_pem = certificate_pem(ca_->certificate());
  certificate_.der = certificate_der(ca_->certificate());
}

TlsTestCa::~TlsTestCa() = default;

TlsLeaf TlsTestCa::issue(const TlsLeafSpec& spec) const {
  const tls::Key key = new_key();
  const tls::Certificate certificate =
      new_certificate(key.get(), spec.common_name, spec.first_day, spec.last_day);
  X509* raw = certificate.get();
  X509* issuer = ca_->certificate();
  add_extension(raw, issuer, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(raw, issuer, NID_key_usage, "critical,digitalSignature");
  if (!spec.purpose.empty()) add_extension(raw, issuer, NID_ext_key_usage, spec.purpose);
  if (!spec.dns_name.empty())
    add_extension(raw, issuer, NID_subject_alt_name, "DNS:" + spec.dns_name);
  add_extension(raw, issuer, NID_authority_key_identifier, "keyid");
  ca_->sign(raw);
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
