#include "appliance/cloud/manifest/manifest_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "appliance/cloud/aws/digests.h"
#include "appliance/cloud/aws/file_sink.h"
#include "protocol/base/file.h"
#include "protocol/base/unique_fd.h"

namespace linesign {
namespace {

constexpr size_t kBufferBytes = 256 * 1024;

}  // namespace

ManifestFile::ManifestFile(std::filesystem::path path)
    : path_(std::move(path)), sink_(std::make_unique<aws::FileSink>(path_)) {}

ManifestFile::~ManifestFile() = default;

Result<void> ManifestFile::add_header(std::string_view line) {
  buffer_ += line;
  if (buffer_.size() < kBufferBytes) return {};
  return flush();
}

Result<void> ManifestFile::add(std::string_view line) {
  ++lines_;
  return add_header(line);
}

Result<void> ManifestFile::flush() {
  if (buffer_.empty()) return {};
  if (!has_begun_) LS_CHECK(sink_->take({}));
  has_begun_ = true;
  LS_CHECK(sink_->take(buffer_));
  buffer_.clear();
  return {};
}

Result<std::filesystem::path> ManifestFile::settle() {
  LS_CHECK(flush());
  return sink_->settle();
}

Result<WrittenManifest> ManifestFile::finish() {
  LS_CHECK(flush());
  WrittenManifest written;
  written.lines = lines_;
  LS_TRY(written.size_bytes, sink_->finish());
  LS_TRY(written.sha256, file_sha256(path_));
  return written;
}

Result<void> ManifestFile::finish_new(const std::filesystem::path& path) {
  LS_CHECK(flush());
  LS_CHECK(sink_->finish_new(path));
  return {};
}

Result<Sha256> file_sha256(const std::filesystem::path& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat about {};
  if (!file || ::fstat(file.get(), &about) != 0)
    return fail(ErrorCode::Io, path.string() + ": " + errno_text(errno));
  return aws::sha256_of_file(file.get(), static_cast<uint64_t>(about.st_size));
}

}  // namespace linesign
