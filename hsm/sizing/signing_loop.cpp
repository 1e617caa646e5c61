#include "hsm/sizing/signing_loop.h"

#include <utility>

#include "hsm/sizing/expired_ca.h"
#include "hsm/x509/openssl_error.h"

namespace linesign {
namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

struct NoTimer {
  void start() {}
  void lap(SizingStepKind) {}
  StepTimes times{};
};

class StepTimer final {
 public:
  void start() { last_ = steady_clock::now(); }
  void lap(SizingStepKind step) {
    const auto now = steady_clock::now();
    times[static_cast<size_t>(step)] += now - last_;
    last_ = now;
  }
  StepTimes times{};

 private:
  steady_clock::time_point last_;
};

// What the spliced bytes are worth, told by code that did not make them.
Result<void> check_with_openssl(ByteView der, const CaCertificate& ca) {
  const unsigned char* cursor = der.data();
  const X509Certificate certificate(d2i_X509(nullptr, &cursor, static_cast<long>(der.size())));
  const bool sound = certificate && cursor == der.data() + der.size() &&
                     X509_verify(certificate.get(), ca.public_key()) == 1;
  clear_openssl_errors();
  if (!sound)
    return fail(ErrorCode::HsmSignatureWrong, "OpenSSL does not accept the first certificate");
  return {};
}

}  // namespace

Result<SigningLoop> SigningLoop::create(const CaCertificate& ca,
                                        std::unique_ptr<SigningKey> key,
                                        std::span<const CorpusCsr> corpus) {
  LS_TRY(const CaCertificate expired, make_expired_ca(ca));
  LS_TRY(CertificateBuilder builder, CertificateBuilder::create(sizing_profile(), expired));
  LS_TRY(ProofVerifier proof, ProofVerifier::create());
  LS_TRY(SignatureVerifier verifier, SignatureVerifier::create(expired));
  SigningLoop loop(
      std::move(builder), std::move(key), std::move(proof), std::move(verifier), corpus);
  LS_TRY(const Bytes first, loop.make_certificate(corpus.front()));
  LS_CHECK(check_with_openssl(first, ca));
  return loop;
}

SigningLoop::SigningLoop(CertificateBuilder builder,
                         std::unique_ptr<SigningKey> key,
                         ProofVerifier proof,
                         SignatureVerifier verifier,
                         std::span<const CorpusCsr> corpus)
    : builder_(std::move(builder)),
      key_(std::move(key)),
      proof_(std::move(proof)),
      verifier_(std::move(verifier)),
      corpus_(corpus),
      digest_kind_(EVP_MD_is_a(signature_digest(builder_.ca().key_type()), "SHA384") == 1
                       ? DigestKind::Bits384
                       : DigestKind::Bits256) {}

Result<LoopResult> SigningLoop::run(nanoseconds duration, StepTiming timing) {
  if (timing == StepTiming::On) {
    StepTimer timer;
    return run_with(duration, timer);
  }
  NoTimer timer;
  return run_with(duration, timer);
}

Result<Bytes> SigningLoop::make_certificate(const CorpusCsr& from) {
  NoTimer timer;
  return make_certificate(from, timer);
}

template <typename Timer>
Result<LoopResult> SigningLoop::run_with(nanoseconds duration, Timer& timer) {
  LoopResult result;
  const auto start = steady_clock::now();
  while (result.certificates == 0 || result.wall < duration) {
    LS_TRY(const Bytes certificate, make_certificate(corpus_[next_], timer));
    next_ = next_ + 1 < corpus_.size() ? next_ + 1 : 0;
    ++result.certificates;
    result.wall = steady_clock::now() - start;
  }
  result.steps = timer.times;
  return result;
}

template <typename Timer>
Result<Bytes> SigningLoop::make_certificate(const CorpusCsr& from, Timer& timer) {
  const KeyType ca_key = builder_.ca().key_type();
  timer.start();
  LS_TRY(const Csr csr, parse_csr(from.der));
  timer.lap(SizingStepKind::Parse);
  LS_CHECK(proof_.verify(csr));
  timer.lap(SizingStepKind::Prove);
  LS_CHECK(builder_.check(csr, from.device_id));
  timer.lap(SizingStepKind::Check);
  CertificateRequest request;
  request.device_id = from.device_id;
  LS_TRY(request.serial, make_serial());
  request.issued_at = kSizingTime;
  LS_TRY(const Bytes tbs, builder_.build_tbs(csr, request));
  timer.lap(SizingStepKind::Build);
  const DigestValue hash = digest(digest_kind_, tbs);
  timer.lap(SizingStepKind::Digest);
  LS_TRY(const Bytes signature, key_->sign(hash.view()));
  timer.lap(SizingStepKind::Sign);
  LS_CHECK(verifier_.verify(hash.view(), signature));
  timer.lap(SizingStepKind::Verify);
  Bytes certificate = assemble_certificate(tbs, signature_algorithm_der(ca_key), signature);
  timer.lap(SizingStepKind::Assemble);
  return certificate;
}

}  // namespace linesign
