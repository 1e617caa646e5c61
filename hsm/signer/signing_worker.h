// SigningWorker: one thread's work: an intent of the ledger in, a verified signature out.
//
// It trusts nothing of what linesignd found out: it parses the CSR again, proves possession, checks
// the profile, builds the to-be-signed bytes itself and signs them only when their hash is the one
// of the intent. So it never signs bytes that it did not build.
//
// Errors   process() fails only when the signer cannot go on: SignerProtocol (an impossible item),
//          or an error of the HSM that no retry helps; recovery_of() says what does. Everything
//          that concerns the item alone is in its result, and then nothing was signed.
// Threads  one worker per thread
#ifndef LINESIGN_HSM_SIGNER_SIGNING_WORKER_H_
#define LINESIGN_HSM_SIGNER_SIGNING_WORKER_H_

#include <chrono>
#include <functional>
#include <memory>

#include "hsm/pkcs11/signing_key.h"
#include "hsm/x509/certificate_builder.h"
#include "hsm/x509/proof_verifier.h"
#include "protocol/signer.pb.h"

namespace linesign {

class SigningWorker final {
 public:
  using Pause = std::function<void(std::chrono::milliseconds)>;

  // `pause` waits between tries; tests bring one that does not.
  static Result<SigningWorker> create(const CertificateBuilder& builder,
                                      std::unique_ptr<SigningKey> key,
                                      Pause pause);

  Result<void> process(const signer::v1::SignItem& item, signer::v1::SignResult& result);

 private:
  SigningWorker(const CertificateBuilder& builder,
                std::unique_ptr<SigningKey> key,
                ProofVerifier proof,
                SignatureVerifier verifier,
                Pause pause);

  Result<Bytes> build(const signer::v1::SignItem& item);
  Result<Bytes> sign(ByteView tbs, ByteView tbs_sha256);
  Result<Bytes> sign_digest(ByteView digest);
  Result<void> check_first_certificate(ByteView tbs, ByteView signature);

  CertificateBuilder builder_;
  std::unique_ptr<SigningKey> key_;
  ProofVerifier proof_;
  SignatureVerifier verifier_;
  Pause pause_;
  bool first_ = true;  // the first certificate is also read and verified by OpenSSL's own code
};

}  // namespace linesign

#endif  // LINESIGN_HSM_SIGNER_SIGNING_WORKER_H_
