#include "appliance/bench/work_folder.h"

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

#include "protocol/base/file.h"

namespace linesign::bench {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kPrivateFolder = 0700;

Result<fs::path> make_temporary_folder() {
  std::error_code error;
  const fs::path base = fs::temp_directory_path(error);
  if (error) return fail(ErrorCode::Io, "the folder for temporary files: " + error.message());
  std::string name = (fs::absolute(base) / "linesign-bench.XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    return fail(ErrorCode::Io, name + ": " + errno_text(errno));
  return fs::path(name);
}

}  // namespace

Result<WorkFolder> WorkFolder::take(const fs::path& wanted) {
  if (wanted.empty()) {
    LS_TRY(fs::path folder, make_temporary_folder());
    return WorkFolder(std::move(folder), true);
  }
  fs::path folder = fs::absolute(wanted).lexically_normal();
  std::error_code error;
  const bool is_there = fs::exists(folder, error);
  if (is_there && (!fs::is_directory(folder, error) || !fs::is_empty(folder, error)))
    return fail(ErrorCode::FileExists, folder.string() + " is not an empty folder");
  LS_CHECK(make_directories(folder, kPrivateFolder));
  return WorkFolder(std::move(folder), false);
}

WorkFolder::~WorkFolder() {
  std::error_code error;
  if (is_temporary_ && !path_.empty()) fs::remove_all(path_, error);
}

}  // namespace linesign::bench
