// ManifestFile: a file that grows line by line and has its name only when it is complete.
//
// Errors   Io with path and reason
// Threads  one
#ifndef LINESIGN_APPLIANCE_CLOUD_MANIFEST_MANIFEST_FILE_H_
#define LINESIGN_APPLIANCE_CLOUD_MANIFEST_MANIFEST_FILE_H_

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/base/ids.h"
#include "protocol/base/result.h"

namespace linesign::aws {
class FileSink;
}

namespace linesign {

struct WrittenManifest {
  uint64_t lines = 0;
  uint64_t size_bytes = 0;
  Sha256 sha256{};
};

class ManifestFile final {
 public:
  explicit ManifestFile(std::filesystem::path path);
  ManifestFile(const ManifestFile&) = delete;
  ManifestFile& operator=(const ManifestFile&) = delete;
  ~ManifestFile();  // what is not finished is removed

  // With its newline.
  Result<void> add(std::string_view line);
  // The same without being counted, for the first line of a table.
  Result<void> add_header(std::string_view line);
  // On the disk, not under its name yet: where it is until finish(), for a signature over it.
  Result<std::filesystem::path> settle();
  // On the disk, under its name.
  Result<WrittenManifest> finish();
  // The same under another name of the same folder; FileExists if it is taken.
  Result<void> finish_new(const std::filesystem::path& path);

  uint64_t lines() const { return lines_; }

 private:
  Result<void> flush();

  const std::filesystem::path path_;
  std::unique_ptr<aws::FileSink> sink_;
  std::string buffer_;
  uint64_t lines_ = 0;
  bool has_begun_ = false;
};

// Of a file that is there.
Result<Sha256> file_sha256(const std::filesystem::path& path);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_MANIFEST_MANIFEST_FILE_H_
