#include "hsm/signer/signing_worker.h"

#include <array>

#include <fmt/format.h>
#include <openssl/err.h>

#include "hsm/pkcs11/recovery.h"
#include "hsm/x509/public_key_info.h"

namespace linesign {
namespace {

using std::chrono::milliseconds;

// Before each further try of one signature. A device that fails five times in a row is out.
constexpr std::array<milliseconds, 4> kRetryPauses = {
    milliseconds(0), milliseconds(0), milliseconds(20), milliseconds(100)};

// linesignd checked all this before it recorded the intent: a breach is no request to be refused
// but a peer that cannot be trusted.
Result<void> check_item(const signer::v1::SignItem& item) {
  const bool sizes_right = item.csr_der().size() <= kMaxCsrBytes &&
                           item.serial().size() == kSerialBytes &&
                           item.tbs_sha256().size() == sizeof(Sha256);
  if (!sizes_right) return fail(ErrorCode::SignerProtocol, "an item has a field of a wrong size");
  const auto first = static_cast<uint8_t>(item.serial().front());
  if (first < 0x40 || first > 0x7f)
    return fail(ErrorCode::SignerProtocol, "an item has a serial number out of its range");
  if (!check_device_id(item.device_id()))
    return fail(ErrorCode::SignerProtocol, "an item has an impossible device id");
  return {};
}

// An item that names a check and brings its contents again would leave open which of both counts.
Result<void> check_short_item(const signer::v1::SignItem& item) {
  const bool is_short = item.csr_der().empty() && item.device_id().empty() &&
                        item.serial().empty() && item.issued_at() == 0;
  if (!is_short || item.tbs_sha256().size() != sizeof(Sha256))
    return fail(ErrorCode::SignerProtocol, "an item with a check_id holds other than its hash");
  return {};
}

template <typename AnyResult>
void set_error(AnyResult& result, const Error& error) {
  result.set_error_code(static_cast<uint32_t>(error.code()));
  result.set_detail(error.detail());
}

Result<Bytes> digest_with(const EVP_MD* algorithm, ByteView bytes) {
  Bytes digest(static_cast<size_t>(EVP_MD_get_size(algorithm)));
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, algorithm, nullptr) != 1) {
    ERR_clear_error();
    return fail(ErrorCode::CryptoFailed, "EVP_Digest");
  }
  return digest;
}

}  // namespace

Result<SigningWorker> SigningWorker::create(const CertificateBuilder& builder,
                                            std::unique_ptr<SigningKey> key,
                                            std::shared_ptr<SignerMemory> memory,
                                            Pause pause) {
  LS_TRY(ProofVerifier proof, ProofVerifier::create());
  LS_TRY(SignatureVerifier verifier, SignatureVerifier::create(builder.ca()));
  return SigningWorker(builder,
                       std::move(key),
                       std::move(memory),
                       std::move(proof),
                       std::move(verifier),
                       std::move(pause));
}

SigningWorker::SigningWorker(const CertificateBuilder& builder,
                             std::unique_ptr<SigningKey> key,
                             std::shared_ptr<SignerMemory> memory,
                             ProofVerifier proof,
                             SignatureVerifier verifier,
                             Pause pause)
    : builder_(builder),
      key_(std::move(key)),
      memory_(std::move(memory)),
      proof_(std::move(proof)),
      verifier_(std::move(verifier)),
      pause_(std::move(pause)) {}

Result<void> SigningWorker::check(const signer::v1::SignItem& item,
                                  signer::v1::CheckResult& result) {
  LS_CHECK(check_item(item));
  if (item.check_id() == 0 || item.issuance_id() != 0)
    return fail(ErrorCode::SignerProtocol, "a check has no check_id, or an intent");
  result.set_check_id(item.check_id());
  auto built = build(item, false);
  if (built) {
    memory_->checked.keep(item.check_id(), std::move(*built));
  } else {
    set_error(result, built.error());
  }
  return {};
}

Result<void> SigningWorker::process(const signer::v1::SignItem& item,
                                    signer::v1::SignResult& result) {
  const bool is_checked = item.check_id() != 0;
  LS_CHECK(is_checked ? check_short_item(item) : check_item(item));
  result.set_issuance_id(item.issuance_id());
  auto kept = is_checked ? memory_->checked.take(item.check_id()) : std::nullopt;
  if (is_checked && !kept) {
    result.set_forgotten(true);
    return {};
  }
  auto built = kept ? Result<CheckedRequest>(std::move(*kept)) : build(item, true);
  if (built && !equal(built->tbs_hash, as_bytes(item.tbs_sha256())))
    built = fail(ErrorCode::IntentMismatch, "the intent names other bytes than were checked");
  if (!built) {
    set_error(result, built.error());
    return {};
  }
  const auto before = std::chrono::steady_clock::now();
  LS_TRY(const Bytes signature, sign(built->tbs, built->tbs_hash));
  const auto took = std::chrono::steady_clock::now() - before;
  result.set_signature(signature.data(), signature.size());
  result.set_sign_us(
      static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
  return {};
}

Result<CheckedRequest> SigningWorker::build(const signer::v1::SignItem& item, bool is_intent) {
  LS_TRY(const Csr csr, parse_csr(as_bytes(item.csr_der())));
  LS_CHECK(proof_.verify(csr));
  LS_CHECK(builder_.check(csr, item.device_id()));
  CertificateRequest request;
  request.device_id = item.device_id();
  std::copy(item.serial().begin(), item.serial().end(), request.serial.begin());
  request.issued_at = UnixTime(std::chrono::seconds(item.issued_at()));
  CheckedRequest built;
  LS_TRY(built.tbs, builder_.build_tbs(csr, request));
  built.tbs_hash = sha256(built.tbs);
  if (!equal(built.tbs_hash, as_bytes(item.tbs_sha256())))
    return fail(ErrorCode::IntentMismatch, fmt::format("device '{}'", item.device_id()));
  // Not of an intent: another signer, or an older version, may have found it in order and signed
  // it, and its refusal would prove nothing.
  if (!is_intent && is_rsa(csr.key_type)) LS_CHECK(check_primes(csr));
  return built;
}

Result<void> SigningWorker::check_primes(const Csr& csr) {
  LS_TRY(const RsaPublicKey key, decode_rsa_public_key(csr.public_key));
  LS_CHECK(check_prime_distance(key.modulus));
  return memory_->primes.check(key.modulus);
}

Result<Bytes> SigningWorker::sign(ByteView tbs, ByteView tbs_sha256) {
  const EVP_MD* algorithm = signature_digest(builder_.ca().key_type());
  // The hash that the intent names is the digest to sign, unless the CA key wants another one.
  Bytes digest = to_bytes(tbs_sha256);
  if (!EVP_MD_is_a(algorithm, "SHA256")) {
    LS_TRY(digest, digest_with(algorithm, tbs));
  }
  LS_TRY(Bytes signature, sign_digest(digest));
  LS_CHECK(verifier_.verify(digest, signature));
  if (first_) LS_CHECK(check_first_certificate(tbs, signature));
  first_ = false;
  return signature;
}

Result<Bytes> SigningWorker::sign_digest(ByteView digest) {
  auto signature = key_->sign(digest);
  for (const milliseconds wait : kRetryPauses) {
    if (signature || recovery_of(signature.error().code()) != Recovery::RetryAtOnce)
      return signature;
    if (wait.count() > 0) pause_(wait);
    signature = key_->sign(digest);
  }
  return signature;
}

// What the spliced bytes are worth, told by code that did not make them.
Result<void> SigningWorker::check_first_certificate(ByteView tbs, ByteView signature) {
  const CaCertificate& ca = builder_.ca();
  const Bytes der = assemble_certificate(tbs, signature_algorithm_der(ca.key_type()), signature);
  const unsigned char* cursor = der.data();
  const X509Certificate certificate(d2i_X509(nullptr, &cursor, static_cast<long>(der.size())));
  const bool sound = certificate && cursor == der.data() + der.size() &&
                     X509_verify(certificate.get(), ca.public_key()) == 1 &&
                     X509_check_ca(certificate.get()) == 0;
  ERR_clear_error();
  if (!sound)
    return fail(ErrorCode::Internal, "OpenSSL does not accept the first certificate of this start");
  return {};
}

}  // namespace linesign
