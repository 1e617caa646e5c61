// LockWatch: who has the login lock when a signer waits for it.
//
// One of our own signers has it for the time of a login. Another holder is named for the operator;
// a signer that a former linesignd left behind is ended, after the time that a login may take,
// because a kill inside C_Login can empty a SoftHSM token.
//
// Errors   look() returns what to tell: HsmUnavailable, which names the holder
// Threads  one at a time
#ifndef LINESIGN_APPLIANCE_SIGNERS_LOCK_WATCH_H_
#define LINESIGN_APPLIANCE_SIGNERS_LOCK_WATCH_H_

#include <chrono>
#include <filesystem>
#include <optional>
#include <span>

#include "hsm/signer/launcher.h"
#include "protocol/base/clock.h"
#include "protocol/base/error.h"

namespace linesign {

class LockWatch final {
 public:
  // `signer`: the program that linesignd starts; what an orphan runs. `launcher`: who may end one
  // with a user of its own.
  LockWatch(const Clock& clock,
            std::filesystem::path lock,
            std::filesystem::path signer,
            SignerLauncher* launcher = nullptr,
            std::chrono::milliseconds orphan_grace = std::chrono::seconds(3));

  // Absent: nobody, or one of `ours`.
  std::optional<Error> look(std::span<const int> ours);

 private:
  const Clock& clock_;
  std::filesystem::path lock_;
  std::filesystem::path signer_;
  SignerLauncher* launcher_;
  std::chrono::milliseconds orphan_grace_;
  int holder_ = 0;
  SteadyTime since_;  // when the holder was seen first
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_SIGNERS_LOCK_WATCH_H_
