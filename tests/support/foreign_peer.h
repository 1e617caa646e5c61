// getsockopt() in front of the C library's, for peers of another PID namespace: such a process has
// a user, and no number here. For one file of a test program.
//
// Threads  may be called and switched by any
#ifndef LINESIGN_TESTS_SUPPORT_FOREIGN_PEER_H_
#define LINESIGN_TESTS_SUPPORT_FOREIGN_PEER_H_

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

namespace linesign::test {

inline std::atomic<bool> peers_are_foreign = false;

// While it lives.
class ForeignPeers final {
 public:
  ForeignPeers() { peers_are_foreign = true; }
  ForeignPeers(const ForeignPeers&) = delete;
  ForeignPeers& operator=(const ForeignPeers&) = delete;
  ~ForeignPeers() { peers_are_foreign = false; }
};

}  // namespace linesign::test

extern "C" int getsockopt(int fd, int level, int option, void* value, socklen_t* size) {
  const long result = ::syscall(SYS_getsockopt, fd, level, option, value, size);
  const bool is_peer = level == SOL_SOCKET && option == SO_PEERCRED;
  if (result == 0 && is_peer && linesign::test::peers_are_foreign)
    static_cast<ucred*>(value)->pid = 0;
  return static_cast<int>(result);
}

#endif  // LINESIGN_TESTS_SUPPORT_FOREIGN_PEER_H_
