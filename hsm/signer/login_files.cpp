#include "hsm/signer/login_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <system_error>

#include "protocol/base/unique_fd.h"

namespace linesign {
namespace {

// Another user may own the folder above and replace what has the name: no link is followed, and a
// file with a second name is left alone.
constexpr int kOpen = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

void give(const UniqueFd& file, const ProcessUser& user) {
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return;
  if (S_ISDIR(status.st_mode) || (S_ISREG(status.st_mode) && status.st_nlink == 1))
    static_cast<void>(::fchown(file.get(), user.uid, user.gid));
}

}  // namespace

void give_login_files(const std::filesystem::path& lock,
                      const std::filesystem::path& memory,
                      const ProcessUser& user) {
  if (::geteuid() != 0) return;
  give(UniqueFd(::open(lock.c_str(), kOpen | O_CREAT, 0640)), user);
  static_cast<void>(::mkdir(memory.c_str(), 0700));
  const UniqueFd folder(::open(memory.c_str(), kOpen | O_DIRECTORY));
  if (!folder) return;
  std::error_code error;
  for (std::filesystem::directory_iterator each(memory, error), end; !error && each != end;
       each.increment(error)) {
    const std::string name = each->path().filename().string();
    if (name.starts_with("pin-")) give(UniqueFd(::openat(folder.get(), name.c_str(), kOpen)), user);
  }
  give(folder, user);
}

}  // namespace linesign
