// StateLock: one uploader at a time for each state folder.
//
// Errors   FolderInUse: another process has it; Io
// Threads  take() anywhere, also twice in one process: the second one is FolderInUse
// Source   flock(2): the kernel releases it when the process ends, however it ends
#ifndef LINESIGN_APPLIANCE_CLOUD_UPLOADER_STATE_LOCK_H_
#define LINESIGN_APPLIANCE_CLOUD_UPLOADER_STATE_LOCK_H_

#include <filesystem>

#include "protocol/base/result.h"
#include "protocol/base/unique_fd.h"

namespace linesign {

class StateLock final {
 public:
  // Makes the folder if need be. Does not wait.
  static Result<StateLock> take(const std::filesystem::path& state_dir);

 private:
  explicit StateLock(UniqueFd file) : file_(std::move(file)) {}
  UniqueFd file_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_UPLOADER_STATE_LOCK_H_
