#include "stations/client/key_maker.h"

#include <algorithm>

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>

#include "stations/client/der.h"
#include "stations/client/handles.h"
#include "stations/transport/tls_errors.h"

namespace linesign::client {
namespace {

// What is fixed for a curve: pieces of DER, as bytes.
struct Curve {
  const char* group;
  size_t field_bytes;
  ByteView algorithm;            // AlgorithmIdentifier of the public key
  ByteView signature_algorithm;  // AlgorithmIdentifier of ECDSA with the digest below
  const char* digest;
};

// SEQUENCE { id-ecPublicKey, prime256v1 / secp384r1 }, RFC 5480
constexpr std::array<uint8_t, 21> kP256Algorithm = {0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                                    0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
                                                    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
constexpr std::array<uint8_t, 18> kP384Algorithm = {0x30,
                                                    0x10,
                                                    0x06,
                                                    0x07,
                                                    0x2a,
                                                    0x86,
                                                    0x48,
                                                    0xce,
                                                    0x3d,
                                                    0x02,
                                                    0x01,
                                                    0x06,
                                                    0x05,
                                                    0x2b,
                                                    0x81,
                                                    0x04,
                                                    0x00,
                                                    0x22};
// SEQUENCE { ecdsa-with-SHA256 / ecdsa-with-SHA384 }, RFC 5758
constexpr std::array<uint8_t, 12> kEcdsaSha256 = {
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
constexpr std::array<uint8_t, 12> kEcdsaSha384 = {
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03};
// SEQUENCE { sha256WithRSAEncryption, NULL }, RFC 8017
constexpr std::array<uint8_t, 15> kRsaSha256 = {
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00};

constexpr std::array<uint8_t, 3> kVersion0 = {0x02, 0x01, 0x00};
constexpr std::array<uint8_t, 3> kVersion1 = {0x02, 0x01, 0x01};
constexpr std::array<uint8_t, 5> kCommonNameOid = {0x06, 0x03, 0x55, 0x04, 0x03};
constexpr std::array<uint8_t, 2> kNoAttributes = {0xa0, 0x00};
constexpr std::array<uint8_t, 1> kNoUnusedBits = {0x00};
constexpr uint8_t kExplicitTag1 = 0xa1;

constexpr Curve kP256 = {"P-256", 32, kP256Algorithm, kEcdsaSha256, "SHA256"};
constexpr Curve kP384 = {"P-384", 48, kP384Algorithm, kEcdsaSha384, "SHA384"};

const Curve* curve_of(KeyKind kind) {
  if (kind == KeyKind::EcP256) return &kP256;
  if (kind == KeyKind::EcP384) return &kP384;
  return nullptr;
}

size_t rsa_bits_of(KeyKind kind) {
  if (kind == KeyKind::Rsa2048) return 2048;
  return kind == KeyKind::Rsa3072 ? 3072 : 4096;
}

tl::unexpected<Error> crypto_failure(std::string_view doing) {
  return fail(take_openssl_error(ErrorCode::CryptoFailed, doing));
}

Result<Bytes> public_point(const EVP_PKEY* key, const Curve& curve) {
  Bytes point(2 * curve.field_bytes + 1);
  size_t length = 0;
  if (EVP_PKEY_get_octet_string_param(
          key, OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size(), &length) != 1 ||
      length != point.size() || point[0] != 0x04)
    return crypto_failure("read the public point");
  return point;
}

Bytes ec_public_key_info(const Curve& curve, ByteView point) {
  const Bytes bits = der_value(kDerBitString, {kNoUnusedBits, point});
  return der_value(kDerSequence, {curve.algorithm, bits});
}

// PKCS#8 without OpenSSL's encoder, which costs more than the key and the signature together.
Result<SecretBytes> ec_private_key_info(const EVP_PKEY* key, const Curve& curve, ByteView point) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &number) != 1)
    return crypto_failure("read the private key");
  const BigNumber owned(number);
  Bytes scalar(curve.field_bytes);
  if (BN_bn2binpad(number, scalar.data(), static_cast<int>(scalar.size())) < 0)
    return crypto_failure("write the private key");
  const SecretBytes secret(std::move(scalar));
  const SecretBytes octets(der_value(kDerOctetString, secret.reveal()));
  const Bytes bits = der_value(kDerBitString, {kNoUnusedBits, point});
  const Bytes public_part = der_value(kExplicitTag1, ByteView(bits));
  const SecretBytes ec_key(der_value(kDerSequence, {kVersion1, octets.reveal(), public_part}));
  const SecretBytes wrapped(der_value(kDerOctetString, ec_key.reveal()));
  return SecretBytes(der_value(kDerSequence, {kVersion0, curve.algorithm, wrapped.reveal()}));
}

SecretBytes private_key_to_pem(ByteView der) {
  std::string pem = to_pem("PRIVATE KEY", der);
  SecretBytes secret(to_bytes(pem));
  wipe(std::span(reinterpret_cast<uint8_t*>(pem.data()), pem.size()));
  return secret;
}

Bytes name_of(std::string_view common_name) {
  const Bytes text = der_value(kDerUtf8String, as_bytes(common_name));
  const Bytes attribute = der_value(kDerSequence, {kCommonNameOid, text});
  const Bytes relative_name = der_value(kDerSet, ByteView(attribute));
  return der_value(kDerSequence, ByteView(relative_name));
}

Result<Bytes> sign(EVP_PKEY* key, const char* digest, ByteView message) {
  const DigestContext context(EVP_MD_CTX_new());
  auto length = static_cast<size_t>(EVP_PKEY_get_size(key));
  Bytes signature(length);
  if (!context ||
      EVP_DigestSignInit_ex(context.get(), nullptr, digest, nullptr, nullptr, key, nullptr) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &length, message.data(), message.size()) != 1)
    return crypto_failure("sign the CSR");
  signature.resize(length);
  return signature;
}

Result<Bytes> assemble_csr(EVP_PKEY* key,
                           ByteView public_key_info,
                           ByteView signature_algorithm,
                           const char* digest,
                           std::string_view common_name) {
  const Bytes name = name_of(common_name);
  const Bytes info = der_value(kDerSequence, {kVersion0, name, public_key_info, kNoAttributes});
  LS_TRY(const Bytes signature, sign(key, digest, info));
  const Bytes bits = der_value(kDerBitString, {kNoUnusedBits, signature});
  return der_value(kDerSequence, {info, signature_algorithm, bits});
}

Result<Bytes> encoded_public_key(const EVP_PKEY* key) {
  uint8_t* encoded = nullptr;
  const int length = i2d_PUBKEY(key, &encoded);
  if (length <= 0) return crypto_failure("encode the public key");
  Bytes info(encoded, encoded + length);
  OPENSSL_free(encoded);
  return info;
}

Result<SecretBytes> encoded_private_key(const EVP_PKEY* key) {
  const Bio memory(BIO_new(BIO_s_secmem()));
  if (!memory ||
      PEM_write_bio_PrivateKey(memory.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return crypto_failure("encode the private key");
  char* text = nullptr;
  const long length = BIO_get_mem_data(memory.get(), &text);
  return SecretBytes(to_bytes(std::string_view(text, static_cast<size_t>(length))));
}

// No prompt for an encrypted key: it is not usable here.
int no_password(char*, int, int, void*) { return 0; }

Result<Key> read_private_key(ByteView pem) {
  if (pem.empty()) return fail(ErrorCode::InputInvalid, "no usable private key");
  const Bio memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (!memory) return crypto_failure("read the private key");
  Key key(PEM_read_bio_PrivateKey(memory.get(), nullptr, no_password, nullptr));
  if (!key) return fail(take_openssl_error(ErrorCode::InputInvalid, "no usable private key"));
  return key;
}

const Curve* curve_of(const EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "EC") != 1) return nullptr;
  return EVP_PKEY_get_bits(key) == 256 ? &kP256 : &kP384;
}

}  // namespace

std::optional<KeyKind> parse_key_kind(std::string_view name) {
  const auto* const found = std::find(kKeyKindNames.begin(), kKeyKindNames.end(), name);
  if (found == kKeyKindNames.end()) return {};
  return static_cast<KeyKind>(found - kKeyKindNames.begin());
}

struct KeyMaker::State {
  const Curve* curve = nullptr;  // null for RSA
  KeyContext context;
};

KeyMaker::KeyMaker(std::unique_ptr<State> state) : state_(std::move(state)) {}
KeyMaker::KeyMaker(KeyMaker&&) noexcept = default;
KeyMaker& KeyMaker::operator=(KeyMaker&&) noexcept = default;
KeyMaker::~KeyMaker() = default;

Result<KeyMaker> KeyMaker::open(KeyKind kind) {
  auto state = std::make_unique<State>();
  state->curve = curve_of(kind);
  state->context.reset(
      EVP_PKEY_CTX_new_from_name(nullptr, state->curve != nullptr ? "EC" : "RSA", nullptr));
  EVP_PKEY_CTX* context = state->context.get();
  if (context == nullptr || EVP_PKEY_keygen_init(context) != 1)
    return crypto_failure("prepare key generation");
  if (state->curve != nullptr) {
    if (EVP_PKEY_CTX_set_group_name(context, state->curve->group) != 1)
      return crypto_failure("choose the curve");
  } else {
    size_t bits = rsa_bits_of(kind);
    const std::array<OSSL_PARAM, 2> params = {
        OSSL_PARAM_construct_size_t(OSSL_PKEY_PARAM_RSA_BITS, &bits), OSSL_PARAM_construct_end()};
    if (EVP_PKEY_CTX_set_params(context, params.data()) != 1)
      return crypto_failure("choose the key size");
  }
  return KeyMaker(std::move(state));
}

Result<MadeKey> KeyMaker::make(std::string_view common_name) {
  EVP_PKEY* made = nullptr;
  if (EVP_PKEY_generate(state_->context.get(), &made) != 1) return crypto_failure("make a key");
  const Key key(made);
  MadeKey result;
  if (state_->curve == nullptr) {
    LS_TRY(const Bytes info, encoded_public_key(key.get()));
    LS_TRY(result.private_key_pem, encoded_private_key(key.get()));
    LS_TRY(result.csr_der, assemble_csr(key.get(), info, kRsaSha256, "SHA256", common_name));
    return result;
  }
  const Curve& curve = *state_->curve;
  LS_TRY(const Bytes point, public_point(key.get(), curve));
  LS_TRY(const SecretBytes secret, ec_private_key_info(key.get(), curve, point));
  result.private_key_pem = private_key_to_pem(secret.reveal());
  const Bytes info = ec_public_key_info(curve, point);
  LS_TRY(result.csr_der,
         assemble_csr(key.get(), info, curve.signature_algorithm, curve.digest, common_name));
  return result;
}

Result<Bytes> make_csr(ByteView private_key_pem, std::string_view common_name) {
  LS_TRY(const Key key, read_private_key(private_key_pem));
  LS_TRY(const Bytes info, encoded_public_key(key.get()));
  const Curve* curve = curve_of(key.get());
  if (curve == nullptr) return assemble_csr(key.get(), info, kRsaSha256, "SHA256", common_name);
  return assemble_csr(key.get(), info, curve->signature_algorithm, curve->digest, common_name);
}

Result<Bytes> public_key_of(ByteView private_key_pem) {
  LS_TRY(const Key key, read_private_key(private_key_pem));
  return encoded_public_key(key.get());
}

}  // namespace linesign::client
