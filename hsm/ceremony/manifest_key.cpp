#include "hsm/ceremony/manifest_key.h"

#include <array>
#include <system_error>

#include <fmt/format.h>
#include <openssl/x509v3.h>

#include "hsm/ceremony/ca_documents.h"
#include "hsm/ceremony/login_place.h"
#include "hsm/pkcs11/key_generation.h"
#include "hsm/pkcs11/openssl_errors.h"
#include "hsm/pkcs11/pin_file.h"
#include "hsm/pkcs11/signing_token.h"
#include "hsm/x509/ca_certificate.h"
#include "hsm/x509/certificate_builder.h"
#include "hsm/x509/cms_signature.h"
#include "hsm/x509/openssl_error.h"
#include "protocol/base/file.h"

namespace linesign {
namespace {

constexpr int kManifestSessions = 2;  // ours and one of libp11
constexpr mode_t kPublicCertificate = 0644;
constexpr const char* kWithoutEnd = "99991231235959Z";  // RFC 5280 section 4.1.2.5
constexpr std::chrono::minutes kManifestBackdate{5};
constexpr size_t kMaxCommonName = 64;

// A key pair in the token: OpenSSL signs with the one, what the token says of the other is
// believed.
struct ManifestKeys {
  CaKey key;
  EvpKey public_key;
  Bytes spki;
};

Result<OpenToken> open_manifest_token(const TokenSettings& token,
                                      Access access,
                                      const LoginPlace& place) {
  LS_TRY(const SecretBytes pin, read_pin_file(token.pin_file));
  return OpenToken::open(token.module,
                         {token.token_label, token.token_serial},
                         pin,
                         access,
                         kManifestSessions,
                         place.rule());
}

Result<ManifestKeys> take_manifest_key(TokenSession& session, CaKey key, const CaCertificate& ca) {
  LS_CHECK(check_key_attributes(key));
  ManifestKeys keys;
  LS_TRY(keys.public_key, read_public_key(session, key));
  LS_TRY(keys.spki, encode_public_key(keys.public_key.get()));
  if (equal(keys.spki, ca.spki()))
    return fail(
        ErrorCode::ManifestKeyRefused,
        fmt::format("the key '{}' is the CA's own key, which signs certificates only", key.label));
  keys.key = std::move(key);
  return keys;
}

Result<X509Certificate> parse_certificate(ByteView der) {
  const unsigned char* raw = der.data();
  X509Certificate certificate(d2i_X509(nullptr, &raw, static_cast<long>(der.size())));
  if (!certificate) return fail(openssl_error("certificate of the manifest key"));
  return certificate;
}

Result<Bytes> encode_certificate(X509* certificate) {
  unsigned char* raw = nullptr;
  const int size = i2d_X509(certificate, &raw);
  if (size <= 0) return fail(openssl_error("certificate of the manifest key"));
  Bytes der(raw, raw + size);
  OPENSSL_free(raw);
  return der;
}

Result<void> set_manifest_name(X509* certificate, const std::string& name) {
  const X509Subject subject(X509_NAME_new());
  const auto* text = reinterpret_cast<const unsigned char*>(name.data());
  if (!subject ||
      X509_NAME_add_entry_by_NID(subject.get(),
                                 NID_commonName,
                                 MBSTRING_UTF8,
                                 text,
                                 static_cast<int>(name.size()),
                                 -1,
                                 0) != 1 ||
      X509_set_subject_name(certificate, subject.get()) != 1 ||
      X509_set_issuer_name(certificate, subject.get()) != 1)
    return fail(openssl_error("name of the manifest key"));
  return {};
}

Result<void> set_serial_and_times(X509* certificate, UnixTime now) {
  LS_TRY(const SerialNumber serial, make_serial());
  const BigNumber number(BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr));
  const time_t start = (now - kManifestBackdate).time_since_epoch().count();
  if (!number || BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) == nullptr ||
      ASN1_TIME_set(X509_getm_notBefore(certificate), start) == nullptr ||
      ASN1_TIME_set_string(X509_getm_notAfter(certificate), kWithoutEnd) != 1)
    return fail(openssl_error("validity of the manifest key's certificate"));
  return {};
}

Result<void> add_manifest_extensions(X509* certificate) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  constexpr std::array<std::pair<int, const char*>, 4> kExtensions = {
      {{NID_basic_constraints, "critical,CA:FALSE"},
       {NID_key_usage, "critical,digitalSignature"},
       {NID_subject_key_identifier, "hash"},
       {NID_authority_key_identifier, "keyid:always"}}};
  for (const auto& [nid, value] : kExtensions) {
    const X509Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
    if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1)
      return fail(openssl_error(fmt::format("extension {}", OBJ_nid2sn(nid))));
  }
  return {};
}

Result<Bytes> make_self_signed(const ManifestKeyPlan& plan,
                               const ManifestKeys& keys,
                               EVP_PKEY* signing_key,
                               UnixTime now) {
  const X509Certificate certificate(X509_new());
  if (!certificate || X509_set_version(certificate.get(), X509_VERSION_3) != 1 ||
      X509_set_pubkey(certificate.get(), keys.public_key.get()) != 1)
    return fail(openssl_error("certificate of the manifest key"));
  LS_CHECK(set_manifest_name(certificate.get(), plan.name));
  LS_CHECK(set_serial_and_times(certificate.get(), now));
  LS_CHECK(add_manifest_extensions(certificate.get()));
  clear_openssl_errors();
  if (X509_sign(certificate.get(), signing_key, signature_digest(plan.type)) <= 0)
    return fail(take_openssl_error("C_Sign of the manifest key's certificate"));
  if (X509_verify(certificate.get(), keys.public_key.get()) != 1) {
    clear_openssl_errors();
    return fail(ErrorCode::HsmSignatureWrong, "the manifest key's certificate");
  }
  return encode_certificate(certificate.get());
}

Result<ManifestKeyReport> finish_manifest_key(OpenToken& token,
                                              const CaKey& key,
                                              const CaCertificate& ca,
                                              const ManifestSettings& manifest,
                                              const ManifestKeyPlan& plan,
                                              UnixTime now) {
  LS_TRY(const ManifestKeys keys, take_manifest_key(token.session(), key, ca));
  LS_TRY(const TokenKey token_key, TokenKey::open(token.libp11(), keys.key));
  LS_TRY(const Bytes der, make_self_signed(plan, keys, token_key.key(), now));
  LS_CHECK(write_file_atomic(manifest.certificate,
                             as_bytes(certificate_pem(der)),
                             kPublicCertificate,
                             plan.may_replace ? Overwrite::Replace : Overwrite::Refuse,
                             Durability::Synced));
  return ManifestKeyReport{token.slot().token().label,
                           keys.key.label,
                           to_hex(keys.key.id),
                           plan.type,
                           to_hex(sha256(der)),
                           manifest.certificate};
}

}  // namespace

Result<ManifestKeyReport> make_manifest_key(const SignerSettings& signer,
                                            const ManifestSettings& manifest,
                                            const ManifestKeyPlan& plan,
                                            UnixTime now) {
  if (plan.name.empty() || plan.name.size() > kMaxCommonName)
    return fail(ErrorCode::InputInvalid, "the name has 1 to 64 bytes");
  if (manifest.token.key_label.empty())
    return fail(ErrorCode::ManifestKeyRefused, "[manifest] names no key_label for a new key");
  std::error_code error;
  if (!plan.may_replace && std::filesystem::exists(manifest.certificate, error))
    return fail(ErrorCode::FileExists, manifest.certificate.string());
  LS_TRY(const CaCertificate ca, CaCertificate::load(signer.ca_certificate));
  LS_TRY(const LoginPlace place,
         LoginPlace::take(signer, manifest.token.pin_file, manifest.pin_memory));
  LS_TRY(OpenToken token, open_manifest_token(manifest.token, Access::ReadWrite, place));
  LS_CHECK(check_mechanisms(token.slot(), plan.type, KeyUse::GenerateAndSign));
  LS_TRY(const CaKey key, generate_ca_key(token.session(), plan.type, manifest.token.key_label));
  auto report = finish_manifest_key(token, key, ca, manifest, plan, now);
  if (!report) static_cast<void>(destroy_ca_key(token.session(), key).has_value());
  return report;
}

// In the order of their lifetimes.
struct ManifestSigner::State {
  OpenToken token;
  TokenKey key;
  X509Certificate certificate;
  Bytes certificate_der;
  KeyType type;
};

ManifestSigner::ManifestSigner(std::unique_ptr<State> state) : state_(std::move(state)) {}
ManifestSigner::ManifestSigner(ManifestSigner&& other) noexcept = default;
ManifestSigner& ManifestSigner::operator=(ManifestSigner&& other) noexcept = default;
ManifestSigner::~ManifestSigner() = default;

Result<ManifestSigner> ManifestSigner::open(const SignerSettings& signer,
                                            const ManifestSettings& manifest) {
  LS_TRY(const CaCertificate ca, CaCertificate::load(signer.ca_certificate));
  LS_TRY(std::vector<Bytes> certificates, load_certificates(manifest.certificate));
  LS_TRY(X509Certificate certificate, parse_certificate(certificates.front()));
  LS_TRY(const LoginPlace place,
         LoginPlace::take(signer, manifest.token.pin_file, manifest.pin_memory));
  LS_TRY(OpenToken token, open_manifest_token(manifest.token, Access::ReadOnly, place));
  const Bytes id = from_hex(manifest.token.key_id_hex).value_or(Bytes());
  LS_TRY(CaKey found, find_ca_key(token.session(), {manifest.token.key_label, id}));
  LS_TRY(const ManifestKeys keys, take_manifest_key(token.session(), std::move(found), ca));
  LS_TRY(const Bytes certified, encode_public_key(X509_get0_pubkey(certificate.get())));
  if (!equal(keys.spki, certified))
    return fail(ErrorCode::ManifestKeyRefused,
                fmt::format("{} is the certificate of another key than '{}'",
                            manifest.certificate.string(),
                            keys.key.label));
  LS_TRY(TokenKey key, TokenKey::open(token.libp11(), keys.key));
  return ManifestSigner(std::make_unique<State>(State{std::move(token),
                                                      std::move(key),
                                                      std::move(certificate),
                                                      std::move(certificates.front()),
                                                      *keys.key.type}));
}

Result<Bytes> ManifestSigner::sign(const std::filesystem::path& content) const {
  clear_openssl_errors();
  LS_TRY(
      Bytes signature,
      sign_detached(
          content, state_->certificate.get(), state_->key.key(), signature_digest(state_->type)));
  const std::array trusted = {state_->certificate_der};
  if (verify_detached(content, signature, trusted).has_value()) return signature;
  return fail(ErrorCode::HsmSignatureWrong, "the signature of the manifest");
}

}  // namespace linesign
