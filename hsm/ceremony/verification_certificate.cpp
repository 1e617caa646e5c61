#include "hsm/ceremony/verification_certificate.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <openssl/ec.h>
#include <openssl/x509v3.h>

#include "hsm/ceremony/ca_chain.h"
#include "hsm/ceremony/ca_documents.h"
#include "hsm/pkcs11/openssl_errors.h"
#include "hsm/pkcs11/pin_file.h"
#include "hsm/pkcs11/signing_token.h"
#include "hsm/signer/login_lock.h"
#include "hsm/x509/ca_certificate.h"
#include "hsm/x509/certificate_builder.h"
#include "hsm/x509/openssl_error.h"
#include "protocol/base/bytes.h"

namespace linesign {
namespace {

constexpr int kProofSessions = 2;  // ours and one of libp11
constexpr size_t kCodeDigits = 64;

bool is_code(std::string_view text) {
  return text.size() == kCodeDigits && from_hex(text).has_value();
}

Result<void> set_names(X509* certificate, const CaCertificate& ca, std::string_view code) {
  const unsigned char* der = ca.subject().data();
  const X509Subject issuer(d2i_X509_NAME(nullptr, &der, static_cast<long>(ca.subject().size())));
  const X509Subject subject(X509_NAME_new());
  const auto* text = reinterpret_cast<const unsigned char*>(code.data());
  if (!issuer || !subject ||
      X509_NAME_add_entry_by_NID(subject.get(),
                                 NID_commonName,
                                 MBSTRING_UTF8,
                                 text,
                                 static_cast<int>(code.size()),
                                 -1,
                                 0) != 1 ||
      X509_set_subject_name(certificate, subject.get()) != 1 ||
      X509_set_issuer_name(certificate, issuer.get()) != 1)
    return fail(openssl_error("names of the verification certificate"));
  return {};
}

Result<void> set_serial_and_validity(X509* certificate, UnixTime now) {
  LS_TRY(const SerialNumber serial, make_serial());
  const BigNumber number(BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr));
  const time_t start = (now - kVerificationBackdate).time_since_epoch().count();
  const time_t end = (now + kVerificationValidity).time_since_epoch().count();
  if (!number || BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) == nullptr ||
      ASN1_TIME_set(X509_getm_notBefore(certificate), start) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(certificate), end) == nullptr)
    return fail(openssl_error("validity of the verification certificate"));
  return {};
}

// What is to be signed. Its own key is made here and is gone when this returns.
Result<X509Certificate> make_unsigned(const CaCertificate& ca,
                                      std::string_view code,
                                      UnixTime now) {
  X509Certificate certificate(X509_new());
  const EvpKey key(EVP_EC_gen("P-256"));
  if (!certificate || !key || X509_set_version(certificate.get(), X509_VERSION_3) != 1 ||
      X509_set_pubkey(certificate.get(), key.get()) != 1)
    return fail(openssl_error("verification certificate"));
  LS_CHECK(set_names(certificate.get(), ca, code));
  LS_CHECK(set_serial_and_validity(certificate.get(), now));
  const X509Extension constraints(
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "critical,CA:FALSE"));
  if (!constraints || X509_add_ext(certificate.get(), constraints.get(), -1) != 1)
    return fail(openssl_error("basicConstraints"));
  return certificate;
}

Result<std::string> sign(X509* certificate, const CaCertificate& ca, EVP_PKEY* signing_key) {
  clear_openssl_errors();
  if (X509_sign(certificate, signing_key, signature_digest(ca.key_type())) <= 0)
    return fail(take_openssl_error("C_Sign of the verification certificate"));
  if (X509_verify(certificate, ca.public_key()) != 1) {
    clear_openssl_errors();
    return fail(ErrorCode::HsmSignatureWrong, "the verification certificate's signature");
  }
  unsigned char* raw = nullptr;
  const int size = i2d_X509(certificate, &raw);
  if (size <= 0) return fail(openssl_error("DER encoding"));
  const Bytes der(raw, raw + size);
  OPENSSL_free(raw);
  return certificate_pem(der);
}

}  // namespace

Result<std::string> make_verification_certificate(const SignerSettings& settings,
                                                  std::string_view registration_code,
                                                  UnixTime now) {
  if (!is_code(registration_code))
    return fail(ErrorCode::InputInvalid, "a registration code has 64 hex digits");
  LS_TRY(const CaCertificate ca, CaCertificate::load(settings.ca_certificate));
  LS_TRY(const X509Certificate certificate, make_unsigned(ca, registration_code, now));
  const TokenSettings& token = settings.token;
  LS_TRY(const SecretBytes pin, read_pin_file(token.pin_file));
  LS_TRY(const LoginLock lock, LoginLock::take(settings.login_lock));
  LS_TRY(OpenToken open,
         OpenToken::open(token.module,
                         {token.token_label, token.token_serial},
                         pin,
                         Access::ReadOnly,
                         kProofSessions,
                         {.memory = settings.pin_memory}));
  const Bytes key_id = from_hex(token.key_id_hex).value_or(Bytes());
  LS_TRY(const CaKey key, find_ca_key(open.session(), {token.key_label, key_id}));
  LS_CHECK(check_key_attributes(key));
  LS_TRY(const EvpKey public_key, read_public_key(open.session(), key));
  LS_TRY(const Bytes spki, encode_public_key(public_key.get()));
  LS_CHECK(check_certificate_key(ca, spki));
  LS_TRY(const TokenKey token_key, TokenKey::open(open.libp11(), key));
  return sign(certificate.get(), ca, token_key.key());
}

}  // namespace linesign
