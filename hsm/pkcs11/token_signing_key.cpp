#include "hsm/pkcs11/token_signing_key.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "hsm/x509/ca_certificate.h"
#include "hsm/x509/der_writer.h"

namespace linesign {
namespace {

constexpr uint8_t kInteger = 0x02;
constexpr uint8_t kSequence = 0x30;

// DigestInfo of SHA-256, up to the digest: linesign's RSA CAs use no other one.
constexpr std::array<uint8_t, 19> kSha256DigestInfo = {0x30,
                                                       0x31,
                                                       0x30,
                                                       0x0d,
                                                       0x06,
                                                       0x09,
                                                       0x60,
                                                       0x86,
                                                       0x48,
                                                       0x01,
                                                       0x65,
                                                       0x03,
                                                       0x04,
                                                       0x02,
                                                       0x01,
                                                       0x05,
                                                       0x00,
                                                       0x04,
                                                       0x20};

// A positive INTEGER in its shortest form.
Bytes integer(ByteView number) {
  constexpr uint8_t kSignBit = 0x80;
  while (number.size() > 1 && number.front() == 0) number = number.subspan(1);
  Bytes content;
  if ((number.front() & kSignBit) != 0) content.push_back(0);
  append(content, number);
  return make_element(kInteger, content);
}

// CKM_ECDSA returns r and s side by side, of equal length.
Result<Bytes> ecdsa_value(const Bytes& signature) {
  if (signature.empty() || signature.size() % 2 != 0)
    return fail(ErrorCode::HsmSignatureWrong,
                fmt::format("C_Sign: an ECDSA signature of {} bytes", signature.size()));
  const ByteView both(signature);
  const size_t half = signature.size() / 2;
  return make_element(kSequence, {integer(both.first(half)), integer(both.subspan(half))});
}

}  // namespace

TokenSigningKey::TokenSigningKey(std::shared_ptr<const void> owner,
                                 TokenSession session,
                                 CK_OBJECT_HANDLE key,
                                 KeyType type)
    : owner_(std::move(owner)), session_(std::move(session)), key_(key), type_(type) {}

Result<Bytes> TokenSigningKey::sign(ByteView digest) {
  if (digest.size() != static_cast<size_t>(EVP_MD_get_size(signature_digest(type_))))
    return fail(ErrorCode::Internal, fmt::format("a digest of {} bytes", digest.size()));
  if (is_rsa(type_)) {
    Bytes info(kSha256DigestInfo.begin(), kSha256DigestInfo.end());
    append(info, digest);
    return session_.sign(CKM_RSA_PKCS, key_, info);
  }
  LS_TRY(const Bytes signature, session_.sign(CKM_ECDSA, key_, digest));
  return ecdsa_value(signature);
}

}  // namespace linesign
