// WorkFolder: where a bench keeps its files: a folder of the user's, or a temporary one that goes
// when this object goes.
//
// Errors   FileExists when the folder holds anything; Io
// Threads  one at a time
#ifndef LINESIGN_APPLIANCE_BENCH_WORK_FOLDER_H_
#define LINESIGN_APPLIANCE_BENCH_WORK_FOLDER_H_

#include <filesystem>
#include <utility>

#include "protocol/base/result.h"

namespace linesign::bench {

class WorkFolder final {
 public:
  // `wanted` must be empty or absent, and is made. An empty path: a temporary folder.
  static Result<WorkFolder> take(const std::filesystem::path& wanted);
  WorkFolder(WorkFolder&& other) noexcept
      : path_(std::exchange(other.path_, {})), is_temporary_(other.is_temporary_) {}
  WorkFolder& operator=(WorkFolder&&) = delete;
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  ~WorkFolder();

  const std::filesystem::path& path() const { return path_; }  // absolute
  bool is_temporary() const { return is_temporary_; }

 private:
  WorkFolder(std::filesystem::path path, bool is_temporary)
      : path_(std::move(path)), is_temporary_(is_temporary) {}
  std::filesystem::path path_;  // empty: moved away
  bool is_temporary_;
};

}  // namespace linesign::bench

#endif  // LINESIGN_APPLIANCE_BENCH_WORK_FOLDER_H_
