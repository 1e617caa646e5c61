// LoginLock: one process at a time initialises the module and logs in.
//
// SoftHSM2 rewrites a file of the token during a login: two at once fail in strange ways. And a
// wrong PIN in the configuration costs one try at a time, not one for each signer at once.
//
// Errors   Io with path and reason
// Threads  take() waits on the caller's thread; each call has a file of its own, so two threads
//          exclude each other too
// Source   flock(2): the kernel releases it when the process ends, however it ends
#ifndef LINESIGN_HSM_SIGNER_LOGIN_LOCK_H_
#define LINESIGN_HSM_SIGNER_LOGIN_LOCK_H_

#include <filesystem>
#include <optional>

#include "protocol/base/result.h"
#include "protocol/base/unique_fd.h"

namespace linesign {

class LoginLock final {
 public:
  // Waits until it is free. Held until this object goes. Made where there is none; root leaves it
  // to the owner of its folder.
  static Result<LoginLock> take(const std::filesystem::path& path);
  // For a lock of other users: none where it is not there or cannot be read. Never makes it.
  static Result<std::optional<LoginLock>> take_if_readable(const std::filesystem::path& path);

 private:
  explicit LoginLock(UniqueFd file) : file_(std::move(file)) {}
  UniqueFd file_;
};

}  // namespace linesign

#endif  // LINESIGN_HSM_SIGNER_LOGIN_LOCK_H_
