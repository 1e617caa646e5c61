// SpawnActions, SpawnAttributes: what posix_spawn(3) is told, freed at the end.
//
// Threads  one each
#ifndef LINESIGN_PROTOCOL_BASE_SPAWN_H_
#define LINESIGN_PROTOCOL_BASE_SPAWN_H_

#include <spawn.h>

#include <csignal>

namespace linesign {

class SpawnActions final {
 public:
  SpawnActions() { posix_spawn_file_actions_init(&actions_); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  ~SpawnActions() { posix_spawn_file_actions_destroy(&actions_); }
  posix_spawn_file_actions_t* get() { return &actions_; }

  // The child gets the descriptor under this number.
  void give(int descriptor, int as) {
    // dup2 clears FD_CLOEXEC, except when both numbers are equal: glibc's action handles that too.
    posix_spawn_file_actions_adddup2(&actions_, descriptor, as);
  }
  // The last action: whatever else is open here, close-on-exec or not, does not reach the child.
  void close_from(int first) { posix_spawn_file_actions_addclosefrom_np(&actions_, first); }

 private:
  posix_spawn_file_actions_t actions_{};
};

// The child begins with no signal blocked or ignored, whatever its parent has done with its own.
class SpawnAttributes final {
 public:
  SpawnAttributes() {
    posix_spawnattr_init(&attributes_);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
  ~SpawnAttributes() { posix_spawnattr_destroy(&attributes_); }
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_BASE_SPAWN_H_
