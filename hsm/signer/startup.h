// Start of a signer: from settings to proved keys.
//
// Errors   as they are found: configuration, CA certificate, PIN file, Hsm*. What another process's
//          login may cause is tried a few times; a refused PIN never.
// Threads  one; what it returns is then shared out, a worker to each thread
#ifndef LINESIGN_HSM_SIGNER_STARTUP_H_
#define LINESIGN_HSM_SIGNER_STARTUP_H_

#include <string>
#include <vector>

#include "hsm/pkcs11/signing_token.h"
#include "hsm/signer/settings.h"
#include "hsm/signer/signing_worker.h"

namespace linesign {

struct StartedSigner {
  CertificateBuilder builder;
  SigningToken token;
  std::vector<SigningWorker> workers;  // gone before the token
};

// [hsm], [ca] and [profile] of linesign.toml; the tables of others are left alone.
Result<SignerSettings> load_signer_settings(const std::filesystem::path& file);

// The login alone, under the login lock; for measurements of the token. `type` is the CA key's.
Result<SigningToken> open_signing_token(const SignerSettings& settings, KeyType type);

Result<StartedSigner> start_signer(const SignerSettings& settings);

}  // namespace linesign

#endif  // LINESIGN_HSM_SIGNER_STARTUP_H_
