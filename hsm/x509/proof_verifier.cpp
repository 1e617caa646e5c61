#include "hsm/x509/proof_verifier.h"

#include <algorithm>
#include <array>
#include <bit>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include "hsm/x509/digest.h"
#include "hsm/x509/handles.h"
#include "hsm/x509/openssl_error.h"
#include "hsm/x509/public_key_info.h"
#include "hsm/x509/rsa_modulus.h"

namespace linesign {
namespace {

constexpr size_t kMaxModulusBytes = 512;

// In the order of CsrSignature.
constexpr std::array<DigestKind, 6> kDigests = {DigestKind::Bits256,
                                                DigestKind::Bits384,
                                                DigestKind::Bits512,
                                                DigestKind::Bits256,
                                                DigestKind::Bits384,
                                                DigestKind::Bits512};

// A key of one curve whose point is replaced for each CSR. That costs 1 us, a new key 15 us.
struct EcSlot {
  EvpKey key;
  EvpKeyContext context;
};

Result<EcSlot> make_ec_slot(const char* group) {
  const EvpKeyContext maker{EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr)};
  std::array<OSSL_PARAM, 2> params = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, const_cast<char*>(group), 0),
      OSSL_PARAM_construct_end()};
  EVP_PKEY* raw = nullptr;
  if (maker == nullptr || EVP_PKEY_fromdata_init(maker.get()) != 1 ||
      EVP_PKEY_fromdata(maker.get(), &raw, EVP_PKEY_KEY_PARAMETERS, params.data()) != 1) {
    return fail(openssl_error("preparing an EC key"));
  }
  EcSlot slot;
  slot.key.reset(raw);
  slot.context.reset(EVP_PKEY_CTX_new_from_pkey(nullptr, slot.key.get(), nullptr));
  if (slot.context == nullptr) return fail(openssl_error("preparing an EC context"));
  return slot;
}

Result<void> proof_result(int verified) {
  if (verified == 1) return {};
  clear_openssl_errors();
  return fail(ErrorCode::CsrProofWrong);
}

// OpenSSL takes big numbers in the byte order of the machine.
class NativeNumber final {
 public:
  explicit NativeNumber(ByteView big_endian) : size_bytes_(big_endian.size()) {
    std::copy(big_endian.begin(), big_endian.end(), octets_.begin());
    if constexpr (std::endian::native == std::endian::little) {
      std::reverse(octets_.begin(), octets_.begin() + static_cast<ptrdiff_t>(size_bytes_));
    }
  }
  OSSL_PARAM param(const char* name) {
    return OSSL_PARAM_construct_BN(name, octets_.data(), size_bytes_);
  }

 private:
  std::array<uint8_t, kMaxModulusBytes> octets_{};
  size_t size_bytes_;
};

}  // namespace

struct ProofVerifier::State {
  EcSlot p256;
  EcSlot p384;
  EvpKeyContext rsa_maker;

  Result<void> verify_ec(EcSlot& slot, const char* group, const Csr& csr, ByteView digest) const;
  Result<EvpKey> make_rsa_key(const Csr& csr) const;
  Result<void> verify_rsa(const Csr& csr, ByteView digest) const;
};

Result<void> ProofVerifier::State::verify_ec(EcSlot& slot,
                                             const char* group,
                                             const Csr& csr,
                                             ByteView digest) const {
  if (EVP_PKEY_set1_encoded_public_key(
          slot.key.get(), csr.public_key.data(), csr.public_key.size()) != 1) {
    clear_openssl_errors();
    // The key holds no usable point now; the next CSR gets a new one.
    LS_TRY(slot, make_ec_slot(group));
    return fail(ErrorCode::CsrKeyInvalid, "the point is not on its curve");
  }
  if (EVP_PKEY_verify_init(slot.context.get()) != 1) {
    return fail(openssl_error("preparing an ECDSA verification"));
  }
  return proof_result(EVP_PKEY_verify(slot.context.get(),
                                      csr.signature.data(),
                                      csr.signature.size(),
                                      digest.data(),
                                      digest.size()));
}

Result<EvpKey> ProofVerifier::State::make_rsa_key(const Csr& csr) const {
  LS_TRY(const RsaPublicKey key, decode_rsa_public_key(csr.public_key));
  if (key.modulus.size() > kMaxModulusBytes || key.exponent.size() > kMaxModulusBytes) {
    return fail(ErrorCode::CsrKeyInvalid);
  }
  LS_CHECK(check_rsa_modulus(key.modulus));
  NativeNumber modulus(key.modulus);
  NativeNumber exponent(key.exponent);
  std::array<OSSL_PARAM, 3> params = {modulus.param(OSSL_PKEY_PARAM_RSA_N),
                                      exponent.param(OSSL_PKEY_PARAM_RSA_E),
                                      OSSL_PARAM_construct_end()};
  EVP_PKEY* raw = nullptr;
  if (EVP_PKEY_fromdata(rsa_maker.get(), &raw, EVP_PKEY_PUBLIC_KEY, params.data()) != 1) {
    clear_openssl_errors();
    return fail(ErrorCode::CsrKeyInvalid, "OpenSSL does not take the RSA key");
  }
  return EvpKey(raw);
}

Result<void> ProofVerifier::State::verify_rsa(const Csr& csr, ByteView digest) const {
  LS_TRY(const EvpKey key, make_rsa_key(csr));
  const EvpKeyContext context{EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr)};
  const EVP_MD* method = digest_method(kDigests[static_cast<size_t>(csr.signature_algorithm)]);
  if (context == nullptr || EVP_PKEY_verify_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) != 1 ||
      EVP_PKEY_CTX_set_signature_md(context.get(), method) != 1) {
    return fail(openssl_error("preparing an RSA verification"));
  }
  return proof_result(EVP_PKEY_verify(
      context.get(), csr.signature.data(), csr.signature.size(), digest.data(), digest.size()));
}

Result<ProofVerifier> ProofVerifier::create() {
  auto state = std::make_unique<State>();
  LS_TRY(state->p256, make_ec_slot(SN_X9_62_prime256v1));
  LS_TRY(state->p384, make_ec_slot(SN_secp384r1));
  state->rsa_maker.reset(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  if (state->rsa_maker == nullptr || EVP_PKEY_fromdata_init(state->rsa_maker.get()) != 1) {
    return fail(openssl_error("preparing an RSA key"));
  }
  return ProofVerifier(std::move(state));
}

ProofVerifier::ProofVerifier(std::unique_ptr<State> state) : state_(std::move(state)) {}
ProofVerifier::ProofVerifier(ProofVerifier&&) noexcept = default;
ProofVerifier& ProofVerifier::operator=(ProofVerifier&&) noexcept = default;
ProofVerifier::~ProofVerifier() = default;

Result<void> ProofVerifier::verify(const Csr& csr) {
  const DigestValue value =
      digest(kDigests[static_cast<size_t>(csr.signature_algorithm)], csr.info);
  switch (csr.key_type) {
    case KeyType::EcP256:
      return state_->verify_ec(state_->p256, SN_X9_62_prime256v1, csr, value.view());
    case KeyType::EcP384:
      return state_->verify_ec(state_->p384, SN_secp384r1, csr, value.view());
    case KeyType::Rsa2048:
    case KeyType::Rsa3072:
    case KeyType::Rsa4096:
      return state_->verify_rsa(csr, value.view());
  }
  return fail(ErrorCode::CsrKeyUnsupported);
}

}  // namespace linesign
