#include "appliance/cloud/aws/file_sink.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include <fmt/format.h>

#include "protocol/base/file.h"

namespace linesign::aws {

FileSink::FileSink(std::filesystem::path path)
    : path_(std::move(path)),
      hidden_(path_.parent_path() / ("." + path_.filename().string() + ".part")) {}

FileSink::~FileSink() {
  if (fd_) ::unlink(hidden_.c_str());
}

tl::unexpected<Error> FileSink::failed(int error_number) const {
  return fail(ErrorCode::Io, fmt::format("{}: {}", path_.string(), errno_text(error_number)));
}

Result<void> FileSink::begin() {
  fd_ = UniqueFd(
      ::open(hidden_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  size_bytes_ = 0;
  if (!fd_) return failed(errno);
  return {};
}

Result<void> FileSink::take(std::string_view piece) {
  if (piece.empty()) return begin();
  while (!piece.empty()) {
    const ssize_t written = ::write(fd_.get(), piece.data(), piece.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed(errno);
    piece.remove_prefix(static_cast<size_t>(written));
    size_bytes_ += static_cast<uint64_t>(written);
  }
  return {};
}

Result<std::filesystem::path> FileSink::settle() {
  if (!fd_) LS_CHECK(begin());
  if (::fsync(fd_.get()) != 0) return failed(errno);
  return hidden_;
}

Result<uint64_t> FileSink::finish() { return rename_to(path_, 0); }

Result<uint64_t> FileSink::finish_new(const std::filesystem::path& path) {
  return rename_to(path, RENAME_NOREPLACE);
}

Result<uint64_t> FileSink::rename_to(const std::filesystem::path& path, unsigned int flags) {
  LS_CHECK(settle());
  int done = ::renameat2(AT_FDCWD, hidden_.c_str(), AT_FDCWD, path.c_str(), flags);
  // A file system of a stick may not know the flag: then a look before is all there is.
  if (done != 0 && errno == EINVAL && flags != 0) {
    if (::access(path.c_str(), F_OK) == 0) return fail(ErrorCode::FileExists, path.string());
    done = ::rename(hidden_.c_str(), path.c_str());
  }
  if (done != 0)
    return errno == EEXIST ? fail(ErrorCode::FileExists, path.string()) : failed(errno);
  fd_.reset();
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  const UniqueFd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0) return failed(errno);
  return size_bytes_;
}

}  // namespace linesign::aws
