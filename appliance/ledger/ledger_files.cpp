#include "appliance/ledger/ledger_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "protocol/base/file.h"

namespace linesign {
namespace {

constexpr std::string_view kDeleted = " (deleted)";  // what the kernel writes behind the name

}  // namespace

bool LedgerFiles::File::is_at(const std::filesystem::path& place) const {
  struct stat status {};
  return ::stat(place.c_str(), &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

// Where an open file is now: the kernel follows it when it is moved. Empty: the name that it was
// opened by is gone. It may have others, hard links that nobody here knows.
std::string LedgerFiles::File::present_path() const {
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0 || status.st_nlink == 0) return {};
  std::error_code error;
  std::string now =
      std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", fd.get()), error).string();
  const bool is_gone = now.size() >= kDeleted.size() &&
                       now.compare(now.size() - kDeleted.size(), kDeleted.size(), kDeleted) == 0 &&
                       !is_at(now);
  return is_gone ? std::string() : now;
}

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
    const std::string now = file.present_path();
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
  return files_.empty() ? std::string() : files_.front().present_path();
}

bool LedgerFiles::has_in_place(const std::filesystem::path& path) const {
  return std::any_of(
      files_.begin(), files_.end(), [&](const File& file) { return file.is_at(path); });
}

}  // namespace linesign
