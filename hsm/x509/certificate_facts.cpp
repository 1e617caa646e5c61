#include "hsm/x509/certificate_facts.h"

#include <array>
#include <ctime>

#include <openssl/objects.h>
#include <openssl/pem.h>

#include "hsm/x509/handles.h"
#include "hsm/x509/name_text.h"
#include "hsm/x509/openssl_error.h"

namespace linesign {
namespace {

template <auto Encode, typename T>
Bytes encoded(T* object) {
  unsigned char* raw = nullptr;
  const int size = Encode(object, &raw);
  if (size <= 0) return {};
  Bytes der(raw, raw + size);
  OPENSSL_free(raw);
  return der;
}

std::string key_name(const EVP_PKEY* key) {
  if (key == nullptr) return "unknown";
  std::array<char, 64> group{};
  size_t size = 0;
  if (EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) == 1) {
    const std::string name(group.data(), size);
    if (name == "prime256v1") return "P-256";
    if (name == "secp384r1") return "P-384";
    return name == "secp521r1" ? "P-521" : name;
  }
  const char* type = EVP_PKEY_get0_type_name(key);
  return std::string(type == nullptr ? "unknown" : type) + "-" +
         std::to_string(EVP_PKEY_get_bits(key));
}

X509Certificate decode(ByteView der) {
  const unsigned char* raw = der.data();
  return X509Certificate(d2i_X509(nullptr, &raw, static_cast<long>(der.size())));
}

std::string common_name_of(const X509_NAME* name) {
  int last = -1;
  for (int at = -1; (at = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >= 0;) last = at;
  if (last < 0) return {};
  unsigned char* raw = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&raw, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)));
  if (size < 0) return {};
  std::string text(raw, raw + size);
  OPENSSL_free(raw);
  return text;
}

UnixTime time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return UnixTime(std::chrono::seconds(::timegm(&parts)));
}

}  // namespace

Result<CertificateFacts> read_certificate_facts(ByteView der) {
  const X509Certificate certificate = decode(der);
  if (!certificate) return fail(openssl_error("certificate"));
  CertificateFacts facts;
  facts.subject = encoded<i2d_X509_NAME>(X509_get_subject_name(certificate.get()));
  facts.spki = encoded<i2d_X509_PUBKEY>(X509_get_X509_PUBKEY(certificate.get()));
  const char* algorithm = OBJ_nid2sn(X509_get_signature_nid(certificate.get()));
  facts.signed_with = algorithm == nullptr ? "unknown" : algorithm;
  facts.key = key_name(X509_get0_pubkey(certificate.get()));
  facts.subject_text = name_text(X509_get_subject_name(certificate.get()));
  facts.common_name = common_name_of(X509_get_subject_name(certificate.get()));
  facts.not_before = time_of(X509_get0_notBefore(certificate.get()));
  facts.not_after = time_of(X509_get0_notAfter(certificate.get()));
  clear_openssl_errors();
  return facts;
}

bool is_issued_by(ByteView der, ByteView issuer_der) {
  const X509Certificate certificate = decode(der);
  const X509Certificate issuer = decode(issuer_der);
  const bool is_issued = certificate && issuer &&
                         X509_NAME_cmp(X509_get_issuer_name(certificate.get()),
                                       X509_get_subject_name(issuer.get())) == 0 &&
                         X509_verify(certificate.get(), X509_get0_pubkey(issuer.get())) == 1;
  clear_openssl_errors();
  return is_issued;
}

std::vector<Bytes> parse_certificates(std::string_view pem) {
  std::vector<Bytes> certificates;
  const Bio memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  while (memory) {
    const X509Certificate next(PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr));
    if (!next) break;
    certificates.push_back(encoded<i2d_X509>(next.get()));
  }
  clear_openssl_errors();
  return certificates;
}

}  // namespace linesign
