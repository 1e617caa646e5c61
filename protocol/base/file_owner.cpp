#include "protocol/base/file_owner.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace linesign {

UniqueFd open_folder_of(const std::filesystem::path& path) {
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  return UniqueFd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

void leave_to_owner_of(const UniqueFd& folder, const UniqueFd& file) {
  if (::geteuid() != 0) return;
  struct stat status {};
  struct stat above {};
  if (::fstat(file.get(), &status) != 0 || ::fstat(folder.get(), &above) != 0) return;
  const bool is_alone =
      S_ISDIR(status.st_mode) || (S_ISREG(status.st_mode) && status.st_nlink == 1);
  if (status.st_uid == 0 && is_alone && above.st_uid != 0)
    static_cast<void>(::fchown(file.get(), above.st_uid, above.st_gid));
}

}  // namespace linesign
