#include "hsm/signer/login_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "protocol/base/file.h"
#include "protocol/base/file_owner.h"

namespace linesign {
namespace {

// Read access is enough for flock, and the lock may belong to another user, who may have put
// anything there.
constexpr int kOpenLock = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

Error lock_error(const std::filesystem::path& path) {
  return Error(
      ErrorCode::Io,
      fmt::format("login lock {}: {}; login_lock in [hsm] names it, or it lies in the "
                  "pin_memory of another PIN file; whoever logs in must be able to read it",
                  path.string(),
                  errno_text(errno)));
}

Result<void> wait_for(const UniqueFd& file, const std::filesystem::path& path) {
  while (::flock(file.get(), LOCK_EX) != 0)
    if (errno != EINTR) return fail(lock_error(path));
  return {};
}

// A lock is empty: what is not is no lock that root has made.
void leave_to_user(const UniqueFd& folder, const UniqueFd& file) {
  struct stat status {};
  if (::fstat(file.get(), &status) == 0 && status.st_size == 0) leave_to_owner_of(folder, file);
}

}  // namespace

Result<LoginLock> LoginLock::take(const std::filesystem::path& path) {
  const UniqueFd folder = open_folder_of(path);
  if (!folder) return fail(lock_error(path));
  UniqueFd file(::openat(folder.get(), path.filename().c_str(), kOpenLock | O_CREAT, 0640));
  if (!file) return fail(lock_error(path));
  leave_to_user(folder, file);
  LS_CHECK(wait_for(file, path));
  return LoginLock(std::move(file));
}

Result<std::optional<LoginLock>> LoginLock::take_if_readable(const std::filesystem::path& path) {
  UniqueFd file(::open(path.c_str(), kOpenLock));
  if (!file) return std::optional<LoginLock>();
  LS_CHECK(wait_for(file, path));
  return std::optional(LoginLock(std::move(file)));
}

}  // namespace linesign
