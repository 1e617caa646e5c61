// LoginPlace: where one login with a PIN file has its locks and the memory of PINs that were tried.
//
// What [hsm] names for that belongs to the user of the signers, who alone reads the PIN file of
// [hsm]. Another PIN file belongs to another user, who has a folder of his own for both. He takes
// the lock of the signers too where he can read it: both may use one token.
//
// Errors   Io, with the path
// Threads  take() waits on the caller's thread
// Source   docs/decisions/0018-pin-tries.md
#ifndef LINESIGN_HSM_CEREMONY_LOGIN_PLACE_H_
#define LINESIGN_HSM_CEREMONY_LOGIN_PLACE_H_

#include <filesystem>
#include <vector>

#include "hsm/pkcs11/pin_memory.h"
#include "hsm/signer/login_lock.h"
#include "hsm/signer/settings.h"
#include "protocol/base/result.h"

namespace linesign {

class LoginPlace final {
 public:
  // Waits until the locks are free; they are held until this object goes. `own_memory`: for a PIN
  // file that is not that of [hsm]; made where it is not there.
  static Result<LoginPlace> take(const SignerSettings& signer,
                                 const std::filesystem::path& pin_file,
                                 const std::filesystem::path& own_memory);

  PinRule rule() const { return {.memory = memory_}; }

 private:
  explicit LoginPlace(std::filesystem::path memory) : memory_(std::move(memory)) {}

  std::filesystem::path memory_;
  std::vector<LoginLock> locks_;
};

}  // namespace linesign

#endif  // LINESIGN_HSM_CEREMONY_LOGIN_PLACE_H_
