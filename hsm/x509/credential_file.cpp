#include "hsm/x509/credential_file.h"

#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "hsm/x509/openssl_error.h"
#include "protocol/base/file.h"
#include "protocol/base/secret.h"

namespace linesign {
namespace {

constexpr size_t kMaxFileBytes = 256 * 1024;
constexpr size_t kMaxCertificates = 16;

int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*given*/) { return -1; }

tl::unexpected<Error> unusable(const std::filesystem::path& file, std::string_view why) {
  clear_openssl_errors();
  return fail(ErrorCode::InputInvalid, file.string() + ": " + std::string(why));
}

template <typename T>
Result<Bytes> to_der(int (*encode)(T*, unsigned char**), T* object) {
  unsigned char* raw = nullptr;
  const int size = encode(object, &raw);
  if (size <= 0) return fail(openssl_error("DER encoding"));
  Bytes der(raw, raw + size);
  OPENSSL_free(raw);
  return der;
}

Result<void> set_up(EVP_PKEY_CTX* context, EVP_PKEY* key) {
  const bool is_rsa_key = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
  if (is_rsa_key && EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) <= 0)
    return fail(openssl_error("padding of a signature"));
  if (EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) <= 0)
    return fail(openssl_error("digest of a signature"));
  return {};
}

Result<void> verify(EVP_PKEY* key, const Bytes& signature, const Sha256& digest) {
  const EvpKeyContext context(EVP_PKEY_CTX_new(key, nullptr));
  if (!context || EVP_PKEY_verify_init(context.get()) <= 0)
    return fail(openssl_error("EVP_PKEY_verify_init"));
  LS_CHECK(set_up(context.get(), key));
  if (EVP_PKEY_verify(
          context.get(), signature.data(), signature.size(), digest.data(), digest.size()) == 1)
    return {};
  clear_openssl_errors();
  return fail(ErrorCode::InputInvalid, "the key does not belong to the certificate");
}

}  // namespace

Result<CertificateFile> load_certificate_file(const std::filesystem::path& pem_file) {
  LS_TRY(const Bytes pem, read_file(pem_file, kMaxFileBytes));
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (!bio) return fail(openssl_error("reading PEM"));
  CertificateFile loaded;
  for (;;) {
    const X509Certificate next(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
    if (!next) break;
    LS_TRY(Bytes der, to_der<const X509>(i2d_X509, next.get()));
    if (loaded.public_key) {
      loaded.chain_der.push_back(std::move(der));
    } else {
      loaded.certificate_der = std::move(der);
      loaded.public_key.reset(X509_get_pubkey(next.get()));
      if (!loaded.public_key) return unusable(pem_file, "its public key cannot be read");
      LS_TRY(loaded.spki, to_der<const EVP_PKEY>(i2d_PUBKEY, loaded.public_key.get()));
    }
    if (loaded.chain_der.size() >= kMaxCertificates) return unusable(pem_file, "too many");
  }
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
    return unusable(pem_file, "a certificate in it is damaged");
  clear_openssl_errors();
  if (!loaded.public_key) return unusable(pem_file, "no certificate in PEM");
  return loaded;
}

bool can_sign_sha256(const EVP_PKEY* key) {
  const int kind = EVP_PKEY_get_base_id(key);
  return kind == EVP_PKEY_RSA || kind == EVP_PKEY_EC;
}

Result<void> check_pair(const EVP_PKEY* key, const EVP_PKEY* public_key) {
  if (EVP_PKEY_eq(key, public_key) == 1) return {};
  clear_openssl_errors();
  return fail(ErrorCode::InputInvalid, "the key does not belong to the certificate");
}

Result<EvpKey> load_private_key(const std::filesystem::path& pem_file) {
  struct stat status {};
  if (::stat(pem_file.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0)
    return unusable(pem_file,
                    "every user of this machine may read it; chmod 600 and replace the key");
  LS_TRY(const SecretBytes pem, read_secret_file(pem_file, kMaxFileBytes));
  const Bio bio(BIO_new_mem_buf(pem.reveal().data(), static_cast<int>(pem.reveal().size())));
  if (!bio) return fail(openssl_error("reading PEM"));
  EvpKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  if (!key) return unusable(pem_file, "no private key in PEM without a passphrase");
  return key;
}

Result<Bytes> sign_sha256(EVP_PKEY* key, EVP_PKEY* public_key, const Sha256& digest) {
  const EvpKeyContext context(EVP_PKEY_CTX_new(key, nullptr));
  if (!context || EVP_PKEY_sign_init(context.get()) <= 0)
    return fail(openssl_error("EVP_PKEY_sign_init"));
  LS_CHECK(set_up(context.get(), key));
  size_t size = 0;
  if (EVP_PKEY_sign(context.get(), nullptr, &size, digest.data(), digest.size()) <= 0)
    return fail(openssl_error("EVP_PKEY_sign"));
  Bytes signature(size);
  if (EVP_PKEY_sign(context.get(), signature.data(), &size, digest.data(), digest.size()) <= 0)
    return fail(openssl_error("EVP_PKEY_sign"));
  signature.resize(size);
  LS_CHECK(verify(public_key, signature, digest));
  return signature;
}

}  // namespace linesign
