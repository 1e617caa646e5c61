// ProofVerifier: proves that a CSR is signed by the key that it carries (proof of possession).
//
// Errors   CsrKeyInvalid: the point is not on the curve, or the modulus is no modulus; CsrKeyWeak:
//          the ROCA fault; CsrProofWrong: the signature does not verify; CryptoFailed
// Threads  one verifier per thread: it keeps OpenSSL contexts, so that nothing is decoded per CSR
// Source   RFC 2986 section 4.2; EVP_PKEY_set1_encoded_public_key instead of OpenSSL's decoder
#ifndef LINESIGN_HSM_X509_PROOF_VERIFIER_H_
#define LINESIGN_HSM_X509_PROOF_VERIFIER_H_

#include <memory>

#include "hsm/x509/csr.h"

namespace linesign {

class ProofVerifier final {
 public:
  static Result<ProofVerifier> create();
  ProofVerifier(ProofVerifier&&) noexcept;
  ProofVerifier& operator=(ProofVerifier&&) noexcept;
  ~ProofVerifier();

  Result<void> verify(const Csr& csr);

 private:
  struct State;
  explicit ProofVerifier(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace linesign

#endif  // LINESIGN_HSM_X509_PROOF_VERIFIER_H_
