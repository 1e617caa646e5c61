// SigningLoop: what is left of an appliance when everything is taken away but the work on a
// certificate: parse, proof of possession, check, build, sign in the token, verify, assemble.
//
// It is the ceiling that the appliance is measured against, and it measures an HSM. The steps are
// the product's own classes, those of linesign-signer. The certificates are expired for decades and
// no CA's (expired_ca.h), counted and thrown away: run on a real HSM it does no harm.
//
// Errors   those of the steps; an error of the token ends the loop. No retries: a token that fails
//          now and then has no throughput to speak of.
// Threads  one loop per thread
#ifndef LINESIGN_HSM_SIZING_SIGNING_LOOP_H_
#define LINESIGN_HSM_SIZING_SIGNING_LOOP_H_

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "hsm/pkcs11/signing_key.h"
#include "hsm/sizing/csr_corpus.h"
#include "hsm/x509/certificate_builder.h"
#include "hsm/x509/digest.h"
#include "hsm/x509/proof_verifier.h"

namespace linesign {

enum class SizingStepKind : uint8_t { Parse, Prove, Check, Build, Digest, Sign, Verify, Assemble };
constexpr std::array<std::string_view, 8> kSizingStepNames = {
    "parse", "prove", "check", "build", "digest", "sign", "verify", "assemble"};
using StepTimes = std::array<std::chrono::nanoseconds, kSizingStepNames.size()>;

struct LoopResult {
  uint64_t certificates = 0;
  std::chrono::nanoseconds wall{};  // from the start to the end of the last certificate
  StepTimes steps{};                // wall time by SizingStepKind; zero unless asked for
};

enum class StepTiming : uint8_t { Off, On };  // On costs some 0.4 us a certificate

class SigningLoop final {
 public:
  // `ca` is the CA of `key`; the loop puts an expired one in its place. Makes one certificate,
  // which OpenSSL's own code reads and verifies (HsmSignatureWrong). REQUIRES: `corpus` is not
  // empty and outlives the loop.
  static Result<SigningLoop> create(const CaCertificate& ca,
                                    std::unique_ptr<SigningKey> key,
                                    std::span<const CorpusCsr> corpus);

  // Round and round the corpus until `duration` is over; at least one certificate.
  Result<LoopResult> run(std::chrono::nanoseconds duration, StepTiming timing);

  // One certificate, DER.
  Result<Bytes> make_certificate(const CorpusCsr& from);

 private:
  SigningLoop(CertificateBuilder builder,
              std::unique_ptr<SigningKey> key,
              ProofVerifier proof,
              SignatureVerifier verifier,
              std::span<const CorpusCsr> corpus);

  template <typename Timer>
  Result<Bytes> make_certificate(const CorpusCsr& from, Timer& timer);
  template <typename Timer>
  Result<LoopResult> run_with(std::chrono::nanoseconds duration, Timer& timer);

  CertificateBuilder builder_;
  std::unique_ptr<SigningKey> key_;
  ProofVerifier proof_;
  SignatureVerifier verifier_;
  std::span<const CorpusCsr> corpus_;
  DigestKind digest_kind_;
  size_t next_ = 0;
};

}  // namespace linesign

#endif  // LINESIGN_HSM_SIZING_SIGNING_LOOP_H_
