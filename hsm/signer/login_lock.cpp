#include "hsm/signer/login_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include <fmt/format.h>

#include "protocol/base/file.h"
#include "protocol/base/file_owner.h"

namespace linesign {

Result<LoginLock> LoginLock::take(const std::filesystem::path& path) {
  // Read access is enough for flock, and the lock may belong to another user.
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!file)
    return fail(ErrorCode::Io,
                fmt::format("login lock {}: {}; login_lock in [hsm] names it, and the user of the "
                            "signers must be able to read it",
                            path.string(),
                            errno_text(errno)));
  leave_to_owner_above(file, path);
  while (::flock(file.get(), LOCK_EX) != 0) {
    if (errno == EINTR) continue;
    return fail(ErrorCode::Io, fmt::format("login lock {}: {}", path.string(), errno_text(errno)));
  }
  return LoginLock(std::move(file));
}

}  // namespace linesign
