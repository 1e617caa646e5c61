#include "appliance/cloud/uploader/state_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "protocol/base/file.h"

namespace linesign {
namespace {

constexpr mode_t kStateFolder = 0750;  // its group may read how far the work is
constexpr mode_t kPrivateFile = 0600;

}  // namespace

Result<StateLock> StateLock::take(const std::filesystem::path& state_dir) {
  LS_CHECK(make_directories(state_dir, kStateFolder));
  const auto path = state_dir / "uploader.lock";
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kPrivateFile));
  if (!file) return fail(ErrorCode::Io, path.string() + ": " + errno_text(errno));
  if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return StateLock(std::move(file));
  if (errno == EWOULDBLOCK)
    return fail(ErrorCode::FolderInUse,
                state_dir.string() + ": another linesign-uploader runs in this state_dir");
  return fail(ErrorCode::Io, path.string() + ": " + errno_text(errno));
}

}  // namespace linesign
