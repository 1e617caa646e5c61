#include "protocol/base/file_owner.h"

#include <sys/stat.h>
#include <unistd.h>

namespace linesign {

void leave_to_owner_above(const UniqueFd& file, const std::filesystem::path& path) {
  if (::geteuid() != 0) return;
  struct stat status {};
  struct stat above {};
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  if (::fstat(file.get(), &status) != 0 || ::stat(folder.c_str(), &above) != 0) return;
  if (status.st_uid != 0 || (!S_ISDIR(status.st_mode) && status.st_nlink != 1)) return;
  if (above.st_uid != 0) static_cast<void>(::fchown(file.get(), above.st_uid, above.st_gid));
}

}  // namespace linesign
