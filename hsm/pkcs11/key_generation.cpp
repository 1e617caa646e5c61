#include "hsm/pkcs11/key_generation.h"

#include <array>

#include <fmt/format.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include "hsm/pkcs11/ec_parameters.h"
#include "hsm/pkcs11/recovery.h"

namespace linesign {
namespace {

constexpr std::array<uint8_t, 3> kPublicExponent = {0x01, 0x00, 0x01};
constexpr size_t kKeyIdBytes = 20;

struct KeyTypeRow {
  KeyType type;
  CK_KEY_TYPE key_type;
  CK_MECHANISM_TYPE generate;
  const char* generate_name;
  CK_MECHANISM_TYPE sign;
  const char* sign_name;
  unsigned long bits;
};

constexpr std::array<KeyTypeRow, 5> kKeyTypes = {{
    {KeyType::EcP256,
     CKK_EC,
     CKM_EC_KEY_PAIR_GEN,
     "CKM_EC_KEY_PAIR_GEN",
     CKM_ECDSA,
     "CKM_ECDSA",
     256},
    {KeyType::EcP384,
     CKK_EC,
     CKM_EC_KEY_PAIR_GEN,
     "CKM_EC_KEY_PAIR_GEN",
     CKM_ECDSA,
     "CKM_ECDSA",
     384},
    {KeyType::Rsa2048,
     CKK_RSA,
     CKM_RSA_PKCS_KEY_PAIR_GEN,
     "CKM_RSA_PKCS_KEY_PAIR_GEN",
     CKM_RSA_PKCS,
     "CKM_RSA_PKCS",
     2048},
    {KeyType::Rsa3072,
     CKK_RSA,
     CKM_RSA_PKCS_KEY_PAIR_GEN,
     "CKM_RSA_PKCS_KEY_PAIR_GEN",
     CKM_RSA_PKCS,
     "CKM_RSA_PKCS",
     3072},
    {KeyType::Rsa4096,
     CKK_RSA,
     CKM_RSA_PKCS_KEY_PAIR_GEN,
     "CKM_RSA_PKCS_KEY_PAIR_GEN",
     CKM_RSA_PKCS,
     "CKM_RSA_PKCS",
     4096},
}};

constexpr bool rows_match_enum() {
  for (size_t i = 0; i < kKeyTypes.size(); ++i)
    if (static_cast<size_t>(kKeyTypes[i].type) != i) return false;
  return true;
}
static_assert(rows_match_enum(), "kKeyTypes is in the order of KeyType");

const KeyTypeRow& row_of(KeyType type) { return kKeyTypes[static_cast<size_t>(type)]; }

Result<void> check_mechanism(
    const Slot& slot, CK_MECHANISM_TYPE type, const char* name, CK_FLAGS flag, unsigned long bits) {
  LS_TRY(const auto info, slot.mechanism(type));
  if (!info || (info->flags & flag) == 0) return fail(ErrorCode::HsmMechanismMissing, name);
  // Some modules leave the sizes at 0: then they say nothing.
  if (info->max_key_size != 0 && (bits < info->min_key_size || bits > info->max_key_size))
    return fail(ErrorCode::HsmMechanismMissing,
                fmt::format("{} takes keys of {} to {} bits, not {}",
                            name,
                            info->min_key_size,
                            info->max_key_size,
                            bits));
  return {};
}

ObjectTemplate private_template(const std::string& label, ByteView id) {
  ObjectTemplate key;
  key.number(CKA_CLASS, CKO_PRIVATE_KEY)
      .text(CKA_LABEL, label)
      .bytes(CKA_ID, id)
      .flag(CKA_TOKEN, true)
      .flag(CKA_PRIVATE, true)
      .flag(CKA_SENSITIVE, true)
      .flag(CKA_EXTRACTABLE, false)
      .flag(CKA_SIGN, true)
      .flag(CKA_DECRYPT, false)
      .flag(CKA_UNWRAP, false)
      .flag(CKA_DERIVE, false)
      .flag(CKA_MODIFIABLE, false);
  return key;
}

ObjectTemplate public_template(const KeyTypeRow& row, const std::string& label, ByteView id) {
  ObjectTemplate key;
  key.number(CKA_CLASS, CKO_PUBLIC_KEY)
      .text(CKA_LABEL, label)
      .bytes(CKA_ID, id)
      .flag(CKA_TOKEN, true)
      .flag(CKA_PRIVATE, false)
      .flag(CKA_VERIFY, true)
      .flag(CKA_ENCRYPT, false)
      .flag(CKA_WRAP, false)
      .flag(CKA_MODIFIABLE, false);
  if (row.type == KeyType::EcP256) key.bytes(CKA_EC_PARAMS, kP256Parameters);
  if (row.type == KeyType::EcP384) key.bytes(CKA_EC_PARAMS, kP384Parameters);
  if (is_rsa(row.type))
    key.number(CKA_MODULUS_BITS, row.bits).bytes(CKA_PUBLIC_EXPONENT, kPublicExponent);
  return key;
}

Result<void> check_label_free(TokenSession& session, const std::string& label) {
  for (const CK_OBJECT_CLASS object_class : {CKO_PRIVATE_KEY, CKO_PUBLIC_KEY}) {
    ObjectTemplate search;
    search.number(CKA_CLASS, object_class).text(CKA_LABEL, label);
    LS_TRY(const auto found, session.find(search));
    if (!found.empty()) return fail(ErrorCode::HsmKeyLabelTaken, label);
  }
  return {};
}

// Subject, issuer and serial number, as PKCS#11 wants them beside the certificate.
Result<ObjectTemplate> certificate_template(const CaKey& key, ByteView der) {
  const unsigned char* cursor = der.data();
  const X509Certificate certificate(d2i_X509(nullptr, &cursor, static_cast<long>(der.size())));
  if (!certificate) return fail(ErrorCode::CryptoFailed, "d2i_X509 of the CA certificate");
  const unsigned char* subject = nullptr;
  const unsigned char* issuer = nullptr;
  size_t subject_size = 0;
  size_t issuer_size = 0;
  unsigned char* serial = nullptr;
  const int serial_size = i2d_ASN1_INTEGER(X509_get0_serialNumber(certificate.get()), &serial);
  const std::unique_ptr<unsigned char, decltype([](unsigned char* p) { OPENSSL_free(p); })> owner(
      serial);
  if (serial_size <= 0 ||
      X509_NAME_get0_der(X509_get_subject_name(certificate.get()), &subject, &subject_size) != 1 ||
      X509_NAME_get0_der(X509_get_issuer_name(certificate.get()), &issuer, &issuer_size) != 1)
    return fail(ErrorCode::CryptoFailed, "names of the CA certificate");
  ObjectTemplate object;
  object.number(CKA_CLASS, CKO_CERTIFICATE)
      .number(CKA_CERTIFICATE_TYPE, CKC_X_509)
      .flag(CKA_TOKEN, true)
      .flag(CKA_PRIVATE, false)
      .text(CKA_LABEL, key.label)
      .bytes(CKA_ID, key.id)
      .bytes(CKA_SUBJECT, ByteView(subject, subject_size))
      .bytes(CKA_ISSUER, ByteView(issuer, issuer_size))
      .bytes(CKA_SERIAL_NUMBER, ByteView(serial, static_cast<size_t>(serial_size)))
      .bytes(CKA_VALUE, der);
  return object;
}

}  // namespace

Result<void> check_mechanisms(const Slot& slot, KeyType type, KeyUse use) {
  const KeyTypeRow& row = row_of(type);
  LS_CHECK(check_mechanism(slot, row.sign, row.sign_name, CKF_SIGN, row.bits));
  if (use == KeyUse::Sign) return {};
  return check_mechanism(slot, row.generate, row.generate_name, CKF_GENERATE_KEY_PAIR, row.bits);
}

Result<CaKey> generate_ca_key(TokenSession& session, KeyType type, const std::string& label) {
  LS_CHECK(check_label_free(session, label));
  // Drawn before the generation: with CKA_MODIFIABLE=0 it can never be set afterwards.
  std::array<uint8_t, kKeyIdBytes> id{};
  if (RAND_bytes(id.data(), static_cast<int>(id.size())) != 1)
    return fail(ErrorCode::CryptoFailed, "RAND_bytes");
  const KeyTypeRow& row = row_of(type);
  LS_TRY(const KeyPairHandles made,
         session.generate_key_pair(
             row.generate, public_template(row, label, id), private_template(label, id)));
  auto key = find_ca_key(session, {label, to_bytes(ByteView(id))});
  if (!key) {
    // What cannot be read back is not kept. The first error is the one that matters.
    static_cast<void>(session.destroy(made.private_key).has_value());
    static_cast<void>(session.destroy(made.public_key).has_value());
  }
  return key;
}

Result<void> destroy_ca_key(TokenSession& session, const CaKey& key) {
  ObjectTemplate certificates;
  certificates.number(CKA_CLASS, CKO_CERTIFICATE).bytes(CKA_ID, key.id);
  LS_TRY(const auto stored, session.find(certificates));
  for (const CK_OBJECT_HANDLE handle : stored) LS_CHECK(session.destroy(handle));
  LS_CHECK(session.destroy(key.private_key));
  return session.destroy(key.public_key);
}

Result<void> store_ca_certificate(TokenSession& session, const CaKey& key, ByteView der) {
  LS_TRY(const ObjectTemplate object, certificate_template(key, der));
  ObjectTemplate search;
  search.number(CKA_CLASS, CKO_CERTIFICATE).bytes(CKA_ID, key.id);
  LS_TRY(const auto older, session.find(search));
  // The new one first: there is no moment without a certificate.
  LS_TRY(const CK_OBJECT_HANDLE stored, session.create(object));
  static_cast<void>(stored);
  for (const CK_OBJECT_HANDLE handle : older) LS_CHECK(session.destroy(handle));
  return {};
}

}  // namespace linesign
