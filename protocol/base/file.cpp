#include "protocol/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
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

Result<void> sync_directory(const std::filesystem::path& directory) {
  const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return io_failure(directory, errno);
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

Result<void> move_into_place(TemporaryFile& temporary,
                             const std::filesystem::path& path,
                             Overwrite overwrite) {
  if (overwrite == Overwrite::Replace) {
    if (::rename(temporary.path().c_str(), path.c_str()) != 0) return io_failure(path, errno);
    temporary.keep();
    return {};
  }
  // link() fails with EEXIST where rename() would replace.
  if (::link(temporary.path().c_str(), path.c_str()) != 0) {
    if (errno == EEXIST) return fail(ErrorCode::FileExists, path.string());
    return io_failure(path, errno);
  }
  return {};
}

}  // namespace

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
  if (!fd) return io_failure(path, errno);
  TemporaryFile temporary(name);
  if (::fchmod(fd.get(), mode) != 0) return io_failure(path, errno);
  LS_CHECK(write_all(fd.get(), path, content));
  if (durability == Durability::Synced && ::fsync(fd.get()) != 0) return io_failure(path, errno);
  LS_CHECK(move_into_place(temporary, path, overwrite));
  if (durability == Durability::Synced) return sync_directory(directory);
  return {};
}

Result<void> make_directories(const std::filesystem::path& path, mode_t mode) {
  std::filesystem::path so_far;
  for (const auto& part : path) {
    so_far /= part;
    if (::mkdir(so_far.c_str(), mode) != 0 && errno != EEXIST && errno != EISDIR)
      return io_failure(so_far, errno);
  }
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return io_failure(path, ENOTDIR);
  return {};
}

}  // namespace linesign
