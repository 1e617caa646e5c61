#include "protocol/base/private_file.h"

#include <sys/stat.h>

#include <cerrno>

#include "protocol/base/file.h"

namespace linesign {

Result<void> check_private_file(const std::filesystem::path& path) {
  const auto refuse = [&](const std::string& reason) {
    return fail(ErrorCode::Io, path.string() + ": " + reason);
  };
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return refuse(errno_text(errno));
  if (S_ISLNK(status.st_mode)) return refuse("a symbolic link; name the file itself");
  if (!S_ISREG(status.st_mode)) return refuse("not a file");
  if ((status.st_mode & S_IROTH) != 0)
    return refuse("every user of this machine may read it; chmod 600 and change what is in it");
  if (status.st_size == 0) return refuse("it is empty");
  return {};
}

}  // namespace linesign
