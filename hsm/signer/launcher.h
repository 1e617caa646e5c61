// SignerLauncher: the process that may start signers under a user of their own.
//
// linesignd starts it while it still has the right to switch users, then gives that right up. All
// that the launcher does afterwards is fixed by its command line: start the linesign-signer of this
// configuration, end one. So whoever takes over linesignd cannot become the signers' user, nor run
// anything else as it.
//
//   linesignd ──"start"──► linesign-signer --launcher ──spawn──► linesign-signer (switches its
//   user)
//       ▲◄── pid, socket ───────┘                                        │
//       └──────────────────────── batches ◄──────────────────────────────┘
//
// Errors   Internal with errno text; ConnectionClosed: the launcher is gone
// Threads  linesignd: the event loop's; the launcher has one
#ifndef LINESIGN_HSM_SIGNER_LAUNCHER_H_
#define LINESIGN_HSM_SIGNER_LAUNCHER_H_

#include <sys/types.h>

#include <filesystem>

#include "protocol/base/result.h"
#include "protocol/base/unique_fd.h"

namespace linesign {

struct SignerChild {
  int pid = 0;
  UniqueFd socket;  // SOCK_SEQPACKET, does not block
};

// A linesign-signer that is a child of this process.
Result<SignerChild> spawn_signer(const std::filesystem::path& program,
                                 const std::filesystem::path& config);

class SignerLauncher final {
 public:
  // `user` is what [hsm] of the configuration names.
  static Result<SignerLauncher> start(const std::filesystem::path& program,
                                      const std::filesystem::path& config,
                                      uid_t user);

  Result<SignerChild> launch();
  // Kills a process of the signers' user; its status as of waitpid(2), 0 if it is nobody's child.
  int end(int pid);

  uid_t user() const { return user_; }
  // Readable when the launcher has ended; nothing else may read it.
  int fd() const { return socket_.get(); }

 private:
  SignerLauncher(UniqueFd socket, uid_t user) : socket_(std::move(socket)), user_(user) {}
  UniqueFd socket_;
  uid_t user_ = 0;
};

// The launcher's side: answers until linesignd closes the socket or ends.
Result<void> run_launcher(const UniqueFd& socket,
                          const std::filesystem::path& program,
                          const std::filesystem::path& config,
                          uid_t user);

}  // namespace linesign

#endif  // LINESIGN_HSM_SIGNER_LAUNCHER_H_
