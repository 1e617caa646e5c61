#include "hsm/pkcs11/key_proof.h"

#include <fmt/format.h>
#include <openssl/rand.h>

namespace linesign {

Result<void> prove_key(SigningKey& key, const CaCertificate& ca) {
  Bytes digest(static_cast<size_t>(EVP_MD_get_size(signature_digest(ca.key_type()))));
  if (RAND_bytes(digest.data(), static_cast<int>(digest.size())) != 1)
    return fail(ErrorCode::CryptoFailed, "RAND_bytes");
  LS_TRY(SignatureVerifier verifier, SignatureVerifier::create(ca));
  LS_TRY(const Bytes signature, key.sign(digest));
  if (!verifier.verify(digest, signature))
    return fail(ErrorCode::HsmKeyMismatch, fmt::format("CA certificate '{}'", ca.subject_text()));
  return {};
}

}  // namespace linesign
