#include "hsm/x509/public_key_info.h"

#include <array>
#include <bit>

#include <fmt/format.h>

namespace linesign {
namespace {

// AlgorithmIdentifiers, whole.
constexpr std::array<uint8_t, 21> kEcP256 = {0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                             0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
                                             0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
constexpr std::array<uint8_t, 18> kEcP384 = {0x30,
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
constexpr std::array<uint8_t, 15> kRsa = {
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};

constexpr uint8_t kUncompressed = 0x04;  // SEC 1 section 2.3.3
// OpenSSL and most hardware take no larger one; it also bounds what a verification costs.
constexpr size_t kMaxExponentBytes = 8;
constexpr uint64_t kMinExponent = 65537;

Result<KeyType> check_point(ByteView point, KeyType type, size_t coordinate_bytes) {
  if (point.size() != 1 + 2 * coordinate_bytes || point[0] != kUncompressed) {
    return fail(ErrorCode::CsrKeyInvalid, "the point is not of the form 04 || X || Y");
  }
  return type;
}

Result<KeyType> rsa_key_type(ByteView public_key) {
  LS_TRY(const RsaPublicKey key, decode_rsa_public_key(public_key));
  const size_t bits =
      key.modulus.size() * 8 - static_cast<size_t>(std::countl_zero(key.modulus[0]));
  if ((key.modulus.back() & 1U) == 0) return fail(ErrorCode::CsrKeyInvalid, "the modulus is even");
  if (key.exponent.size() > kMaxExponentBytes) {
    return fail(ErrorCode::CsrKeyInvalid, "the exponent has more than 64 bits");
  }
  uint64_t exponent = 0;
  for (const uint8_t byte : key.exponent) exponent = (exponent << 8U) | byte;
  if (exponent < kMinExponent || exponent % 2 == 0) {
    return fail(ErrorCode::CsrKeyInvalid, "the exponent is not odd or less than 65537");
  }
  switch (bits) {
    case 2048:
      return KeyType::Rsa2048;
    case 3072:
      return KeyType::Rsa3072;
    case 4096:
      return KeyType::Rsa4096;
    default:
      return fail(ErrorCode::CsrKeyUnsupported, fmt::format("RSA with {} bits", bits));
  }
}

Result<KeyType> key_type(ByteView algorithm, ByteView public_key) {
  if (equal(algorithm, kEcP256)) return check_point(public_key, KeyType::EcP256, 32);
  if (equal(algorithm, kEcP384)) return check_point(public_key, KeyType::EcP384, 48);
  if (equal(algorithm, kRsa)) return rsa_key_type(public_key);
  if (algorithm.size() == kRsa.size() - 2 &&
      equal(algorithm.subspan(2), ByteView(kRsa).subspan(2, 11))) {
    return fail(ErrorCode::CsrKeyUnsupported,
                "rsaEncryption without the NULL parameters that RFC 8017 appendix A.1 demands");
  }
  return fail(ErrorCode::CsrKeyUnsupported, "neither P-256, P-384 nor RSA in its usual encoding");
}

}  // namespace

Result<RsaPublicKey> decode_rsa_public_key(ByteView der) {
  DerReader outer(der);
  LS_TRY(DerReader reader, outer.enter(der::kSequence, "an RSAPublicKey"));
  LS_CHECK(outer.finish("the RSAPublicKey"));
  RsaPublicKey key;
  LS_TRY(key.modulus, reader.positive_integer("the modulus"));
  LS_TRY(key.exponent, reader.positive_integer("the exponent"));
  LS_CHECK(reader.finish("the RSAPublicKey"));
  return key;
}

Result<PublicKeyInfo> read_public_key_info(DerReader& reader) {
  PublicKeyInfo info;
  LS_TRY(const DerElement element, reader.read(der::kSequence, "a public key"));
  info.whole = element.whole;
  DerReader inner(element);
  LS_TRY(const DerElement algorithm, inner.read(der::kSequence, "the algorithm of the public key"));
  LS_TRY(info.public_key, inner.bit_string("the bits of the public key"));
  LS_CHECK(inner.finish("the public key"));
  LS_TRY(info.key_type, key_type(algorithm.whole, info.public_key));
  return info;
}

}  // namespace linesign
