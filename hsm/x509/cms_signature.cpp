#include "hsm/x509/cms_signature.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include <openssl/cms.h>
#include <openssl/err.h>

#include "hsm/x509/certificate_facts.h"
#include "hsm/x509/name_text.h"
#include "hsm/x509/openssl_error.h"
#include "protocol/base/file.h"

namespace linesign {
namespace {

using CmsMessage = std::unique_ptr<CMS_ContentInfo, FreeWith<CMS_ContentInfo_free>>;

constexpr unsigned kSignFlags =
    CMS_BINARY | CMS_DETACHED | CMS_PARTIAL | CMS_NOSMIMECAP | CMS_NO_CONTENT_VERIFY;
constexpr size_t kMaxTrustBytes = 1024 * 1024;

tl::unexpected<Error> wrong(std::string_view what) {
  const Error reason = openssl_error(what);
  return fail(ErrorCode::ManifestSignatureWrong, reason.detail());
}

Result<Bio> open_content(const std::filesystem::path& path) {
  clear_openssl_errors();
  Bio content(BIO_new_file(path.c_str(), "rb"));
  if (content) return content;
  clear_openssl_errors();
  return fail(ErrorCode::Io, path.string() + ": " + errno_text(errno));
}

Result<X509Certificate> to_x509(ByteView der) {
  const unsigned char* raw = der.data();
  X509Certificate certificate(d2i_X509(nullptr, &raw, static_cast<long>(der.size())));
  if (!certificate) return fail(openssl_error("certificate"));
  return certificate;
}

Result<Bytes> to_der(X509* certificate) {
  unsigned char* raw = nullptr;
  const int size = i2d_X509(certificate, &raw);
  if (size <= 0) return fail(openssl_error("certificate"));
  Bytes der(raw, raw + size);
  OPENSSL_free(raw);
  return der;
}

Result<X509TrustStore> store_of(std::span<const Bytes> trusted) {
  X509TrustStore store(X509_STORE_new());
  if (!store) return fail(openssl_error("X509_STORE_new"));
  for (const Bytes& der : trusted) {
    LS_TRY(const X509Certificate certificate, to_x509(der));
    if (X509_STORE_add_cert(store.get(), certificate.get()) != 1)
      return fail(openssl_error("X509_STORE_add_cert"));
  }
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME);
  return store;
}

// SHA-1 and what is older prove nothing any more.
bool is_strong(const X509_ALGOR* algorithm) {
  const ASN1_OBJECT* name = nullptr;
  X509_ALGOR_get0(&name, nullptr, nullptr, algorithm);
  constexpr std::array kStrong = {NID_sha256, NID_sha384, NID_sha512};
  const int nid = OBJ_obj2nid(name);
  return std::find(kStrong.begin(), kStrong.end(), nid) != kStrong.end();
}

std::optional<UnixTime> signing_time(CMS_SignerInfo* signer) {
  const int at = CMS_signed_get_attr_by_NID(signer, NID_pkcs9_signingTime, -1);
  X509_ATTRIBUTE* attribute = at < 0 ? nullptr : CMS_signed_get_attr(signer, at);
  const ASN1_TYPE* value = attribute == nullptr ? nullptr : X509_ATTRIBUTE_get0_type(attribute, 0);
  std::tm time{};
  if (value == nullptr || (value->type != V_ASN1_UTCTIME && value->type != V_ASN1_GENERALIZEDTIME))
    return std::nullopt;
  // Both are ASN1_STRINGs, of which ASN1_TIME is another name.
  if (ASN1_TIME_to_tm(value->value.asn1_string, &time) != 1) return std::nullopt;
  return UnixTime(std::chrono::seconds(::timegm(&time)));
}

Result<CmsSigner> describe(CMS_ContentInfo* message) {
  STACK_OF(CMS_SignerInfo)* signers = CMS_get0_SignerInfos(message);
  if (signers == nullptr || sk_CMS_SignerInfo_num(signers) != 1)
    return fail(ErrorCode::ManifestSignatureWrong, "expected one signer");
  CMS_SignerInfo* signer = sk_CMS_SignerInfo_value(signers, 0);
  X509* certificate = nullptr;
  X509_ALGOR* digest = nullptr;
  CMS_SignerInfo_get0_algs(signer, nullptr, &certificate, &digest, nullptr);
  if (certificate == nullptr || digest == nullptr || !is_strong(digest))
    return fail(ErrorCode::ManifestSignatureWrong, "the digest is not SHA-256, -384 or -512");
  CmsSigner described;
  described.subject = name_text(X509_get_subject_name(certificate));
  LS_TRY(described.certificate_der, to_der(certificate));
  described.signed_at = signing_time(signer);
  return described;
}

Result<CmsMessage> parse_message(ByteView der) {
  if (der.size() > kMaxCmsBytes)
    return fail(ErrorCode::ManifestSignatureWrong, "the signature is too long");
  clear_openssl_errors();
  const unsigned char* at = der.data();
  CmsMessage message(d2i_CMS_ContentInfo(nullptr, &at, static_cast<long>(der.size())));
  if (!message) return wrong("no CMS message");
  if (at != der.data() + der.size() ||
      OBJ_obj2nid(CMS_get0_type(message.get())) != NID_pkcs7_signed ||
      CMS_is_detached(message.get()) != 1)
    return fail(ErrorCode::ManifestSignatureWrong, "no detached CMS signature");
  return message;
}

}  // namespace

Result<Bytes> sign_detached(const std::filesystem::path& content,
                            X509* certificate,
                            EVP_PKEY* key,
                            const EVP_MD* digest) {
  LS_TRY(const Bio bytes, open_content(content));
  const CmsMessage message(CMS_sign(nullptr, nullptr, nullptr, nullptr, kSignFlags));
  if (!message || CMS_add1_signer(message.get(), certificate, key, digest, kSignFlags) == nullptr ||
      CMS_final(message.get(), bytes.get(), nullptr, kSignFlags) != 1)
    return fail(openssl_error("CMS signature"));
  unsigned char* raw = nullptr;
  const int size = i2d_CMS_ContentInfo(message.get(), &raw);
  if (size <= 0) return fail(openssl_error("CMS signature"));
  Bytes der(raw, raw + size);
  OPENSSL_free(raw);
  return der;
}

Result<CmsSigner> verify_detached(const std::filesystem::path& content,
                                  ByteView signature,
                                  std::span<const Bytes> trusted) {
  LS_TRY(const CmsMessage message, parse_message(signature));
  LS_TRY(const X509TrustStore store, store_of(trusted));
  LS_TRY(const Bio bytes, open_content(content));
  if (CMS_verify(message.get(), nullptr, store.get(), bytes.get(), nullptr, CMS_BINARY) != 1)
    return wrong("CMS signature");
  return describe(message.get());
}

Result<std::vector<Bytes>> load_certificates(const std::filesystem::path& pem_file) {
  LS_TRY(const Bytes text, read_file(pem_file, kMaxTrustBytes));
  std::vector<Bytes> certificates = parse_certificates(as_text(text));
  if (certificates.empty())
    return fail(ErrorCode::InputInvalid, pem_file.string() + ": there is no PEM certificate in it");
  return certificates;
}

}  // namespace linesign
