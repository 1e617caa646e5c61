#include "hsm/pkcs11/key_proof.h"

#include <unistd.h>

#include <fmt/format.h>
#include <openssl/err.h>

namespace linesign {

std::string key_proof_text(int pid) { return fmt::format("linesign key proof, pid {}", pid); }

Result<void> prove_key(SigningKey& key, const CaCertificate& ca) {
  const std::string text = key_proof_text(::getpid());
  const EVP_MD* algorithm = signature_digest(ca.key_type());
  Bytes digest(static_cast<size_t>(EVP_MD_get_size(algorithm)));
  if (EVP_Digest(text.data(), text.size(), digest.data(), nullptr, algorithm, nullptr) != 1) {
    ERR_clear_error();
    return fail(ErrorCode::CryptoFailed, "EVP_Digest");
  }
  LS_TRY(SignatureVerifier verifier, SignatureVerifier::create(ca));
  LS_TRY(const Bytes signature, key.sign(digest));
  if (!verifier.verify(digest, signature))
    return fail(ErrorCode::HsmSignatureWrong,
                fmt::format("\"{}\", for the CA certificate '{}'", text, ca.subject_text()));
  return {};
}

}  // namespace linesign
