#include "protocol/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include <fmt/format.h>

#include "protocol/base/unique_fd.h"

namespace linesign {
namespace {

tl::unexpected<Error> io_failure(const std::filesystem::path& path, int error_number) {
  return fail(ErrorCode::Io, fmt::format("{}: {}", path.string(), errno_text(error_number)));
}

Result<void> write_all(int fd, const std::filesystem::path& path, ByteView content) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return io_failure(path, errno);
    content = content.subspan(static_cast<size_t>(written));
  }
  return {};
}

// Removes the temporary file unless the rename took it away.
class TemporaryFile final {
 public:
  explicit TemporaryFile(std::filesystem::path path) : path_(std::move(path)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  const std::filesystem::path& path() const { return path_; }
  void keep() { path_.clear(); }

 private:
  std::filesystem::path path_;
};

std::filesystem::path directory_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

// The two calls that refuse to replace are unknown to some file systems: the next one then decides.
bool is_unsupported(int error_number) {
  return error_number == EINVAL || error_number == ENOSYS || error_number == ENOTSUP ||
         error_number == EPERM;
}

Result<void> rename_over(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return io_failure(to, errno);
  return {};
}

// Who creates the name owns it. A power cut in between leaves an empty file.
Result<void> claim_and_replace(const std::filesystem::path& from, const std::filesystem::path& to) {
  UniqueFd claim(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!claim && errno == EEXIST) return fail(ErrorCode::FileExists, to.string());
  if (!claim) return fail(creation_failure(to, errno));
  claim.reset();
  auto moved = rename_over(from, to);
  if (!moved.has_value()) ::unlink(to.c_str());
  return moved;
}

}  // namespace

Error creation_failure(const std::filesystem::path& path, int error_number) {
  const std::string name = path.filename().string();
  const size_t at = name.find_first_of(R"(:*?"<>|\)");
  // Kernel drivers of FAT and exFAT say EINVAL, exFAT over FUSE says ENOENT.
  std::error_code ignored;
  const bool is_name_refused = at != std::string::npos &&
                               (error_number == EINVAL || error_number == ENOENT) &&
                               std::filesystem::is_directory(directory_of(path), ignored);
  if (!is_name_refused)
    return Error(ErrorCode::Io, fmt::format("{}: {}", path.string(), errno_text(error_number)));
  return Error(ErrorCode::Io,
               fmt::format("{}: this file system does not allow '{}' in a file name; choose "
                           "another name or another medium",
                           path.string(),
                           name[at]));
}

std::string errno_text(int error_number) { return std::generic_category().message(error_number); }

Result<Bytes> read_file(const std::filesystem::path& path, size_t limit_bytes) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return io_failure(path, errno);
  Bytes content;
  constexpr size_t kStep = 64 * 1024;
  for (;;) {
    const size_t old_size = content.size();
    content.resize(std::min(old_size + kStep, limit_bytes + 1));
    const ssize_t got = ::read(fd.get(), content.data() + old_size, content.size() - old_size);
    if (got < 0 && errno != EINTR) {
      wipe(content);
      return io_failure(path, errno);
    }
    content.resize(old_size + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return content;
    if (content.size() > limit_bytes) {
      wipe(content);
      return fail(ErrorCode::InputInvalid,
                  fmt::format("{}: more than {} bytes", path.string(), limit_bytes));
    }
  }
}

Result<SecretBytes> read_secret_file(const std::filesystem::path& path, size_t limit_bytes) {
  LS_TRY(Bytes content, read_file(path, limit_bytes));
  if (!content.empty() && content.back() == '\n') content.pop_back();
  return SecretBytes(std::move(content));
}

Result<void> write_file_atomic(const std::filesystem::path& path,
                               ByteView content,
                               mode_t mode,
                               Overwrite overwrite,
                               Durability durability) {
  const std::filesystem::path directory = directory_of(path);
  std::string name = (directory / ("." + path.filename().string() + ".XXXXXX")).string();
  const UniqueFd fd(::mkostemp(name.data(), O_CLOEXEC));
  if (!fd) return fail(creation_failure(path, errno));
  TemporaryFile temporary(name);
  if (::fchmod(fd.get(), mode) != 0 && !is_unsupported(errno)) return io_failure(path, errno);
  LS_CHECK(write_all(fd.get(), path, content));
  if (durability == Durability::Synced && ::fsync(fd.get()) != 0) return io_failure(path, errno);
  LS_CHECK(move_into_place(name, path, overwrite));
  temporary.keep();
  if (durability == Durability::Synced) return sync_directory(directory);
  return {};
}

Result<void> move_into_place(const std::filesystem::path& from,
                             const std::filesystem::path& to,
                             Overwrite overwrite) {
  if (overwrite == Overwrite::Replace) return rename_over(from, to);
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
  if (is_unsupported(errno) && ::link(from.c_str(), to.c_str()) == 0) {
    ::unlink(from.c_str());
    return {};
  }
  if (errno == EEXIST) return fail(ErrorCode::FileExists, to.string());
  if (is_unsupported(errno)) return claim_and_replace(from, to);
  return io_failure(to, errno);
}

Result<void> sync_directory(const std::filesystem::path& directory) {
  const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return io_failure(directory, errno);
  if (::fsync(fd.get()) != 0 && !is_unsupported(errno)) return io_failure(directory, errno);
  return {};
}

Result<void> make_directories(const std::filesystem::path& path, mode_t mode) {
  std::filesystem::path so_far;
  for (const auto& part : path) {
    so_far /= part;
    if (::mkdir(so_far.c_str(), mode) != 0 && errno != EEXIST && errno != EISDIR)
      return fail(creation_failure(so_far, errno));
  }
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return io_failure(path, ENOTDIR);
  return {};
}

}  // namespace linesign
