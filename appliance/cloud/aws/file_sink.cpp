#include "appliance/cloud/aws/file_sink.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

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

Result<uint64_t> FileSink::finish() {
  LS_CHECK(settle());
  if (::rename(hidden_.c_str(), path_.c_str()) != 0) return failed(errno);
  fd_.reset();
  const std::filesystem::path folder = path_.has_parent_path() ? path_.parent_path() : ".";
  const UniqueFd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0) return failed(errno);
  return size_bytes_;
}

}  // namespace linesign::aws
