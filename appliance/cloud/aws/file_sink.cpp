#include "appliance/cloud/aws/file_sink.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

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
  if (!fd_) return fail(creation_failure(path_, errno));
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

Result<uint64_t> FileSink::finish() { return move_to(path_, Overwrite::Replace); }

Result<uint64_t> FileSink::finish_new(const std::filesystem::path& path) {
  return move_to(path, Overwrite::Refuse);
}

Result<uint64_t> FileSink::move_to(const std::filesystem::path& path, Overwrite overwrite) {
  LS_CHECK(settle());
  LS_CHECK(move_into_place(hidden_, path, overwrite));
  fd_.reset();
  LS_CHECK(sync_directory(path.has_parent_path() ? path.parent_path() : "."));
  return size_bytes_;
}

}  // namespace linesign::aws
