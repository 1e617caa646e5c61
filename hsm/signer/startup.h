// Start of a signer: from settings to proved keys.
//
// Only the login is under the login lock, so that a start that hangs before or after it holds up
// nobody. What the login of another process does to a SoftHSM token meanwhile is passing.
//
// Errors   as they are found: configuration, CA certificate, PIN file, Hsm*. What another process's
//          login may cause is tried a few times; a refused PIN never, and the token's last try
//          (HsmPinFinalTry) not at all.
// Threads  one; what it returns is then shared out, a worker to each thread
#ifndef LINESIGN_HSM_SIGNER_STARTUP_H_
#define LINESIGN_HSM_SIGNER_STARTUP_H_

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hsm/pkcs11/signing_token.h"
#include "hsm/signer/settings.h"
#include "hsm/signer/signing_worker.h"

namespace linesign {

struct StartedSigner {
  CertificateBuilder builder;
  SigningToken token;
  std::vector<SigningWorker> workers;       // gone before the token
  std::chrono::microseconds proof_time{0};  // what the first signature took
  std::string_view pin_warning{};           // of pin_tries_text(), before the login
};

// The PIN that was refused, now or before, and by which token.
struct RefusedPin {
  SecretBytes pin;
  std::string token_serial;
  bool is_pause = false;  // the token did not answer several times: it is tried again later
};

// Who waits for a start takes part in it. Empty functions: nobody does.
struct StartSteps {
  std::function<Result<void>()> before_login;  // once; returns when this process may try the PIN
  std::function<Result<void>()> after_login;   // the PIN is right
  std::optional<RefusedPin> refused_pin;       // after HsmPinRefused, or in the pause
};

// [hsm], [ca] and [profile] of linesign.toml; the tables of others are left alone.
Result<SignerSettings> load_signer_settings(const std::filesystem::path& file);

// The login alone, under the login lock; for measurements of the token. `type` is the CA key's.
Result<SigningToken> open_signing_token(const SignerSettings& settings,
                                        KeyType type,
                                        StartSteps& steps);

Result<StartedSigner> start_signer(const SignerSettings& settings, StartSteps& steps);

}  // namespace linesign

#endif  // LINESIGN_HSM_SIGNER_STARTUP_H_
