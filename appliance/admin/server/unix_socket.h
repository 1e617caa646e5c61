// UnixSocket: the file of a listening socket: who owns it, and when it may be replaced.
//
// Errors   AdminSocketInUse, ListenFailed, Io
// Threads  no state, safe anywhere
#ifndef LINESIGN_APPLIANCE_ADMIN_SERVER_UNIX_SOCKET_H_
#define LINESIGN_APPLIANCE_ADMIN_SERVER_UNIX_SOCKET_H_

#include <sys/types.h>

#include <filesystem>

#include "protocol/base/result.h"
#include "protocol/base/unique_fd.h"

namespace linesign {

// Removes a socket that no process listens on any more, or only one that inherited it from its
// owner, who is gone. Nothing there is fine; a live owner is AdminSocketInUse, after a second in
// which it could have let go; anything that is not a socket is left alone: Io.
Result<void> remove_stale_socket(const std::filesystem::path& path);

// Binds, does not listen: nobody can connect yet. ListenFailed, with what is in the way.
Result<UniqueFd> bind_unix_socket(const std::filesystem::path& path);

// Empty with EAGAIN in errno: nobody waits.
UniqueFd accept_unix_socket(int listening_fd);

// The socket file as this process made it. Removes it at the end, unless somebody has put another
// one in its place meanwhile.
class SocketFile final {
 public:
  // REQUIRES: the socket is bound to `path`.
  static Result<SocketFile> take(const std::filesystem::path& path, mode_t mode);
  SocketFile(SocketFile&& other) noexcept;
  SocketFile& operator=(SocketFile&& other) = delete;
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;
  ~SocketFile();

 private:
  SocketFile(std::filesystem::path path, dev_t device, ino_t inode)
      : path_(std::move(path)), device_(device), inode_(inode) {}
  std::filesystem::path path_;  // empty: moved away
  dev_t device_;
  ino_t inode_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ADMIN_SERVER_UNIX_SOCKET_H_
