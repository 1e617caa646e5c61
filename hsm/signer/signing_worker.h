// SigningWorker: one thread's work: an intent of the ledger in, a verified signature out.
//
// It trusts nothing of what linesignd found out: it parses the CSR again, proves possession, checks
// the profile, builds the to-be-signed bytes itself and signs them only when their hash is the one
// of the intent. So it never signs bytes that it did not build. check() does all but the signature,
// before there is an intent; process() then signs what was checked, or does all of it but judge the
// primes of an RSA key: docs/decisions/0021-check-before-intent.md.
//
// Errors   check() and process() fail only when the signer cannot go on: SignerProtocol (an
//          impossible item), or an error of the HSM that no retry helps; recovery_of() says what
//          does. Everything that concerns the item alone is in its result, and then nothing was
//          signed.
// Threads  one worker per thread
#ifndef LINESIGN_HSM_SIGNER_SIGNING_WORKER_H_
#define LINESIGN_HSM_SIGNER_SIGNING_WORKER_H_

#include <chrono>
#include <functional>
#include <memory>

#include "hsm/pkcs11/signing_key.h"
#include "hsm/signer/checked_requests.h"
#include "hsm/x509/certificate_builder.h"
#include "hsm/x509/proof_verifier.h"
#include "hsm/x509/rsa_primes.h"
#include "protocol/signer.pb.h"

namespace linesign {

// What the workers of one signer remember together.
struct SignerMemory {
  CheckedRequests checked;
  SharedPrimes primes;
};

class SigningWorker final {
 public:
  using Pause = std::function<void(std::chrono::milliseconds)>;

  // `memory` is that of all workers of this signer. `pause` waits between tries; tests bring one
  // that does not.
  static Result<SigningWorker> create(const CertificateBuilder& builder,
                                      std::unique_ptr<SigningKey> key,
                                      std::shared_ptr<SignerMemory> memory,
                                      Pause pause);

  Result<void> check(const signer::v1::SignItem& item, signer::v1::CheckResult& result);
  Result<void> process(const signer::v1::SignItem& item, signer::v1::SignResult& result);

 private:
  SigningWorker(const CertificateBuilder& builder,
                std::unique_ptr<SigningKey> key,
                std::shared_ptr<SignerMemory> memory,
                ProofVerifier proof,
                SignatureVerifier verifier,
                Pause pause);

  Result<CheckedRequest> build(const signer::v1::SignItem& item, bool is_intent);
  Result<void> check_primes(const Csr& csr);
  Result<Bytes> sign(ByteView tbs, ByteView tbs_sha256);
  Result<Bytes> sign_digest(ByteView digest);
  Result<void> check_first_certificate(ByteView tbs, ByteView signature);

  CertificateBuilder builder_;
  std::unique_ptr<SigningKey> key_;
  std::shared_ptr<SignerMemory> memory_;
  ProofVerifier proof_;
  SignatureVerifier verifier_;
  Pause pause_;
  bool first_ = true;  // the first certificate is also read and verified by OpenSSL's own code
};

}  // namespace linesign

#endif  // LINESIGN_HSM_SIGNER_SIGNING_WORKER_H_
