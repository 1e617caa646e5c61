// A folder that behaves as a stick does whose FAT or exFAT driver can least: no hard links, no
// RENAME_NOREPLACE, no modes, no fsync of a folder, no ':' and the like in names, and names that
// differ in case only are the same.
//
// Linked into a test, or preloaded into a program (LD_PRELOAD); takes the place of libc's calls for
// what is directly in the folder $LINESIGN_FAT. No file can be renamed to $LINESIGN_FAT_BAD_NAME,
// as on a stick with a broken block.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <dirent.h>
#include <dlfcn.h>
#include <strings.h>

#include "tests/support/open_calls.h"

namespace {

template <typename Function>
Function* libc(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

std::string_view variable(const char* name) {
  const char* value = ::getenv(name);
  return value != nullptr ? value : "";
}

std::string_view name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_on_medium(std::string_view path) {
  const std::string_view folder = variable("LINESIGN_FAT");
  return !folder.empty() &&
         path.substr(0, path.size() - name_of(path).size()) == std::string(folder) + "/";
}

int fails(int error_number) {
  errno = error_number;
  return -1;
}

bool is_refused(std::string_view path) {
  return is_on_medium(path) && name_of(path).find_first_of(R"(:*?"<>|\)") != std::string_view::npos;
}

// The path with the name as it is stored, in upper and lower case.
std::string stored(const char* path) {
  const std::string_view name = name_of(path);
  const std::string folder(variable("LINESIGN_FAT"));
  if (!is_on_medium(path)) return path;
  DIR* entries = ::opendir(folder.c_str());
  if (entries == nullptr) return path;
  std::string found(name);
  while (const dirent* entry = ::readdir(entries)) {
    if (::strcasecmp(entry->d_name, found.c_str()) == 0) found = entry->d_name;
  }
  ::closedir(entries);
  return folder + "/" + found;
}

std::string path_of(int fd) {
  std::array<char, 4096> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t size = ::readlink(link.c_str(), path.data(), path.size());
  return {path.data(), static_cast<size_t>(size > 0 ? size : 0)};
}

int open_instead(const char* call, const char* path, int flags, mode_t mode) {
  if (is_refused(path)) return fails((flags & O_CREAT) != 0 ? EINVAL : ENOENT);
  return libc<int(const char*, int, ...)>(call)(stored(path).c_str(), flags, mode);
}

}  // namespace

extern "C" {

int mkostemp(char* path, int flags) {
  if (is_refused(path)) return fails(EINVAL);
  return libc<int(char*, int)>("mkostemp")(path, flags);
}

int mkdir(const char* path, mode_t mode) noexcept {
  if (is_refused(path)) return fails(EINVAL);
  return libc<int(const char*, mode_t)>("mkdir")(stored(path).c_str(), mode);
}

int access(const char* path, int mode) noexcept {
  return libc<int(const char*, int)>("access")(stored(path).c_str(), mode);
}

int stat(const char* path, struct stat* info) noexcept {
  return libc<int(const char*, struct stat*)>("stat")(stored(path).c_str(), info);
}

int unlink(const char* path) noexcept {
  return libc<int(const char*)>("unlink")(stored(path).c_str());
}

int link(const char* from, const char* to) noexcept {
  if (is_on_medium(to)) return fails(EPERM);
  return libc<int(const char*, const char*)>("link")(from, to);
}

int rename(const char* from, const char* to) noexcept {
  if (is_refused(to)) return fails(EINVAL);
  if (is_on_medium(to) && name_of(to) == variable("LINESIGN_FAT_BAD_NAME")) return fails(EIO);
  return libc<int(const char*, const char*)>("rename")(stored(from).c_str(), stored(to).c_str());
}

int renameat2(int from_fd, const char* from, int to_fd, const char* to, unsigned flags) noexcept {
  if (is_on_medium(to) && flags != 0) return fails(EINVAL);
  return libc<int(int, const char*, int, const char*, unsigned)>("renameat2")(
      from_fd, from, to_fd, to, flags);
}

int fchmod(int fd, mode_t mode) noexcept {
  if (is_on_medium(path_of(fd))) return fails(EPERM);
  return libc<int(int, mode_t)>("fchmod")(fd, mode);
}

int fsync(int fd) {
  if (path_of(fd) == variable("LINESIGN_FAT")) return fails(EINVAL);
  return libc<int(int)>("fsync")(fd);
}

}  // extern "C"
