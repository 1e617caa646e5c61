#include "appliance/ledger/ledger_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <system_error>

#include <fmt/format.h>

#include "protocol/base/file.h"

namespace linesign {
namespace {

// Where an open file is now: the kernel follows it when it is moved. Empty: it has no name any
// more.
std::string present_path(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0 || status.st_nlink == 0) return {};
  std::error_code error;
  return std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", fd), error).string();
}

}  // namespace

Result<LedgerFiles> LedgerFiles::watch(const std::filesystem::path& database) {
  LedgerFiles files;
  for (const char* suffix : {"", "-wal"}) {
    File file;
    file.path = database.string() + suffix;
    file.fd = UniqueFd(::open(file.path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat status {};
    if (!file.fd || ::fstat(file.fd.get(), &status) != 0)
      return fail(ErrorCode::LedgerUnavailable,
                  fmt::format("{}: {}", file.path.string(), errno_text(errno)));
    file.device = status.st_dev;
    file.inode = status.st_ino;
    files.files_.push_back(std::move(file));
  }
  return files;
}

Result<void> LedgerFiles::check() const {
  for (const File& file : files_) {
    struct stat status {};
    const bool is_there = ::stat(file.path.c_str(), &status) == 0;
    if (is_there && status.st_dev == file.device && status.st_ino == file.inode) continue;
    if (!is_there && errno != ENOENT && errno != ENOTDIR)
      return fail(ErrorCode::LedgerUnavailable,
                  fmt::format("{}: {}", file.path.string(), errno_text(errno)));
    const std::string now = present_path(file.fd.get());
    std::string what = is_there ? "was replaced by another file" : "was deleted";
    if (now == file.path) {
      what = "is hidden by what was mounted over it";
    } else if (!now.empty()) {
      what = fmt::format("was moved to {}", now);
    }
    return fail(ErrorCode::LedgerReplaced, fmt::format("{} {}", file.path.string(), what));
  }
  return {};
}

std::string LedgerFiles::path_of_database() const {
  return files_.empty() ? std::string() : present_path(files_.front().fd.get());
}

}  // namespace linesign
