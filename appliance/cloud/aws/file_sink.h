// FileSink: writes what arrives piece by piece to a hidden file beside the wanted one, and renames
// it when it is complete. What is not complete is removed.
//
// Errors   Io with path and reason
// Threads  one thread at a time
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_FILE_SINK_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_FILE_SINK_H_

#include <filesystem>
#include <string_view>

#include "protocol/base/file.h"
#include "protocol/base/result.h"
#include "protocol/base/unique_fd.h"

namespace linesign::aws {

class FileSink final {
 public:
  explicit FileSink(std::filesystem::path path);
  FileSink(const FileSink&) = delete;
  FileSink& operator=(const FileSink&) = delete;
  ~FileSink();

  // An empty piece begins anew.
  Result<void> take(std::string_view piece);
  // On the disk, not under its name yet: the path of the hidden file, until finish().
  Result<std::filesystem::path> settle();
  // Gives the size. The content is on the disk before the name is there, and replaces what had it.
  Result<uint64_t> finish();
  // The same under another name of the same folder. FileExists: the name is taken; nothing was
  // done.
  Result<uint64_t> finish_new(const std::filesystem::path& path);

 private:
  tl::unexpected<Error> failed(int error_number) const;
  Result<void> begin();
  Result<uint64_t> move_to(const std::filesystem::path& path, Overwrite overwrite);

  const std::filesystem::path path_;
  const std::filesystem::path hidden_;
  UniqueFd fd_;
  uint64_t size_bytes_ = 0;
};

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_FILE_SINK_H_
