#include "tests/support/software_ca.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <source_location>

#include <openssl/conf.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

namespace linesign::test {
namespace {

void require(bool done, std::source_location where = std::source_location::current()) {
  if (done) return;
  ERR_print_errors_fp(stderr);
  std::fprintf(stderr, "%s:%u: test support failed\n", where.file_name(), where.line());
  std::abort();
}

template <typename T>
Bytes encode_with(int (*encode)(const T*, unsigned char**), const T* object) {
  const int size = encode(object, nullptr);
  require(size > 0);
  Bytes der(static_cast<size_t>(size));
  unsigned char* end = der.data();
  encode(object, &end);
  return der;
}

std::string take_text(BIO* bio) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);
  return {text, static_cast<size_t>(size)};
}

void add_requested_extensions(X509_REQ* request, const NamedTexts& extensions) {
  if (extensions.empty()) return;
  X509V3_CTX context;
  X509V3_set_ctx(&context, nullptr, nullptr, request, nullptr, 0);
  STACK_OF(X509_EXTENSION)* stack = sk_X509_EXTENSION_new_null();
  for (const auto& [name, text] : extensions) {
    sk_X509_EXTENSION_push(stack, make_extension(&context, name, text).release());
  }
  require(X509_REQ_add_extensions(request, stack) == 1);
  sk_X509_EXTENSION_pop_free(stack, X509_EXTENSION_free);
}

void set_times(X509* certificate, const CaSpec& spec) {
  const auto not_before = static_cast<time_t>(spec.not_before.time_since_epoch().count());
  const auto not_after = static_cast<time_t>(spec.not_after.time_since_epoch().count());
  require(ASN1_TIME_set(X509_getm_notBefore(certificate), not_before) != nullptr);
  require(ASN1_TIME_set(X509_getm_notAfter(certificate), not_after) != nullptr);
}

const char* digest_name(EVP_PKEY* key) {
  return EVP_PKEY_is_a(key, "EC") == 1 && EVP_PKEY_get_bits(key) == 384 ? "SHA384" : "SHA256";
}

}  // namespace

EvpKey make_ec_key(const std::string& group) {
  EvpKey key{EVP_EC_gen(group.c_str())};
  require(key != nullptr);
  return key;
}

EvpKey make_rsa_key(unsigned bits, unsigned exponent) {
  const EvpKeyContext context{EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr)};
  const BigNumber e{BN_new()};
  require(context != nullptr && e != nullptr && BN_set_word(e.get(), exponent) == 1);
  require(EVP_PKEY_keygen_init(context.get()) == 1);
  require(EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), static_cast<int>(bits)) == 1);
  require(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context.get(), e.get()) == 1);
  EVP_PKEY* key = nullptr;
  require(EVP_PKEY_generate(context.get(), &key) == 1);
  return EvpKey(key);
}

EvpKey make_rsa_key_of(const BIGNUM* p, const BIGNUM* q) {
  BN_CTX* context = BN_CTX_new();
  const BigNumber n{BN_new()};
  const BigNumber e{BN_new()};
  const BigNumber d{BN_new()};
  const BigNumber less{BN_dup(p)};
  const BigNumber order{BN_dup(q)};
  require(BN_mul(n.get(), p, q, context) == 1 && BN_set_word(e.get(), 65537) == 1);
  require(BN_sub_word(less.get(), 1) == 1 && BN_sub_word(order.get(), 1) == 1);
  require(BN_mul(order.get(), order.get(), less.get(), context) == 1);
  require(BN_mod_inverse(d.get(), e.get(), order.get(), context) != nullptr);
  BN_CTX_free(context);
  OSSL_PARAM_BLD* builder = OSSL_PARAM_BLD_new();
  require(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n.get()) == 1 &&
          OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e.get()) == 1 &&
          OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_D, d.get()) == 1);
  OSSL_PARAM* params = OSSL_PARAM_BLD_to_param(builder);
  const EvpKeyContext maker{EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr)};
  EVP_PKEY* key = nullptr;
  require(EVP_PKEY_fromdata_init(maker.get()) == 1 &&
          EVP_PKEY_fromdata(maker.get(), &key, EVP_PKEY_KEYPAIR, params) == 1);
  OSSL_PARAM_free(params);
  OSSL_PARAM_BLD_free(builder);
  return EvpKey(key);
}

EvpKey make_key(KeyType type) {
  switch (type) {
    case KeyType::EcP256:
      return make_ec_key("P-256");
    case KeyType::EcP384:
      return make_ec_key("P-384");
    case KeyType::Rsa2048:
      return make_rsa_key(2048, 65537);
    case KeyType::Rsa3072:
      return make_rsa_key(3072, 65537);
    case KeyType::Rsa4096:
      return make_rsa_key(4096, 65537);
  }
  std::abort();
}

EVP_PKEY* shared_key(KeyType type) {
  static std::mutex mutex;
  static std::map<KeyType, EvpKey> keys;
  const std::lock_guard lock(mutex);
  EvpKey& key = keys[type];
  if (key == nullptr) key = make_key(type);
  return key.get();
}

std::string private_key_pem(EVP_PKEY* key) {
  const Bio bio{BIO_new(BIO_s_mem())};
  require(PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return take_text(bio.get());
}

void set_subject(X509_NAME* name, const NamedTexts& texts) {
  for (const auto& [field, text] : texts) {
    const auto* const octets = reinterpret_cast<const unsigned char*>(text.data());
    require(X509_NAME_add_entry_by_txt(
                name, field.c_str(), MBSTRING_UTF8, octets, static_cast<int>(text.size()), -1, 0) ==
            1);
  }
}

X509Extension make_extension(X509V3_CTX* context,
                             const std::string& name,
                             const std::string& text) {
  // Some extensions refuse to be read without a configuration, even an empty one.
  const std::unique_ptr<CONF, FreeWith<NCONF_free>> empty{NCONF_new(nullptr)};
  const Bio nothing{BIO_new_mem_buf("", 0)};
  long line = 0;
  require(NCONF_load_bio(empty.get(), nothing.get(), &line) == 1);
  X509V3_set_nconf(context, empty.get());
  X509Extension extension{X509V3_EXT_nconf(nullptr, context, name.c_str(), text.c_str())};
  require(extension != nullptr);
  return extension;
}

Bytes make_csr_with(EVP_PKEY* key, const CsrSpec& spec) {
  const X509Request request{X509_REQ_new()};
  require(request != nullptr && X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) == 1);
  require(X509_REQ_set_pubkey(request.get(), key) == 1);
  set_subject(X509_REQ_get_subject_name(request.get()), spec.subject);
  add_requested_extensions(request.get(), spec.extensions);
  require(X509_REQ_sign(request.get(), key, EVP_get_digestbyname(spec.digest.c_str())) > 0);
  return to_der(request.get());
}

Bytes make_csr(EVP_PKEY* key, const std::string& common_name) {
  return make_csr_with(key, CsrSpec{.subject = {{"CN", common_name}}, .extensions = {}});
}

Bytes to_der(X509* certificate) { return encode_with<X509>(i2d_X509, certificate); }
Bytes to_der(X509_REQ* request) { return encode_with<X509_REQ>(i2d_X509_REQ, request); }

SoftwareCa::SoftwareCa(const CaSpec& spec) : x509_(X509_new()) {
  EVP_PKEY* const key = spec.key != nullptr ? spec.key : shared_key(spec.key_type);
  require(x509_ != nullptr && EVP_PKEY_up_ref(key) == 1);
  key_.reset(key);
  X509* const certificate = x509_.get();
  require(X509_set_version(certificate, spec.version) == 1);
  require(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1);
  set_subject(X509_get_subject_name(certificate), spec.subject);
  X509* const issuer = spec.issuer != nullptr ? spec.issuer->x509() : certificate;
  require(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1);
  set_times(certificate, spec);
  require(X509_set_pubkey(certificate, key) == 1);
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  for (const auto& [name, text] : spec.extensions) {
    const X509Extension extension = make_extension(&context, name, text);
    require(X509_add_ext(certificate, extension.get(), -1) == 1);
  }
  EVP_PKEY* const signer = spec.issuer != nullptr ? spec.issuer->key() : key;
  require(X509_sign(certificate, signer, EVP_get_digestbyname(digest_name(signer))) > 0);
}

Bytes SoftwareCa::der() const { return to_der(x509_.get()); }

std::string SoftwareCa::pem() const {
  const Bio bio{BIO_new(BIO_s_mem())};
  require(PEM_write_bio_X509(bio.get(), x509_.get()) == 1);
  return take_text(bio.get());
}

CaCertificate SoftwareCa::certificate() const {
  auto certificate = CaCertificate::from_der(der());
  if (!certificate) std::fprintf(stderr, "%s\n", certificate.error().to_string().c_str());
  require(certificate.has_value());
  return *std::move(certificate);
}

Bytes SoftwareCa::sign(ByteView tbs) const {
  const DigestContext context{EVP_MD_CTX_new()};
  require(
      EVP_DigestSignInit_ex(
          context.get(), nullptr, digest_name(key_.get()), nullptr, nullptr, key_.get(), nullptr) ==
      1);
  size_t size = 0;
  require(EVP_DigestSign(context.get(), nullptr, &size, tbs.data(), tbs.size()) == 1);
  Bytes signature(size);
  require(EVP_DigestSign(context.get(), signature.data(), &size, tbs.data(), tbs.size()) == 1);
  signature.resize(size);
  return signature;
}

}  // namespace linesign::test
