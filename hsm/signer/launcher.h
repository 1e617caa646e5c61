// Who starts signers: linesignd by itself, or a launcher, the process that may start them under a
// user of their own. Nobody waits for a signer: that one has ended is reported when it has, and one
// that the kernel does not let end costs its process and nothing else.
//
// linesignd starts the launcher while it still has the right to switch users, then gives that right
// up. All that the launcher does afterwards is fixed by its command line: start the linesign-signer
// of this configuration under this user, end one. So whoever takes over linesignd cannot become the
// signers' user, nor run anything else as it.
//
//   linesignd ──start, end of a socket──► linesign-signer --launcher ──spawn──► linesign-signer
//       ▲◄── pid, how it ended ───────────────────┘                (switches its user)  │
//       └──────────────────────────────────── batches ◄─────────────────────────────────┘
//
// Errors   DescriptorLimit, HsmUnavailable (no memory, too many processes), Internal with errno
//          text; ConnectionClosed: the launcher is gone or has stopped
// Threads  linesignd: the event loop's; the launcher has one
#ifndef LINESIGN_HSM_SIGNER_LAUNCHER_H_
#define LINESIGN_HSM_SIGNER_LAUNCHER_H_

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/base/unique_fd.h"

namespace linesign {

struct SignerChild {
  uint64_t id = 0;  // of this start: a pid becomes another's
  UniqueFd socket;  // SOCK_SEQPACKET, does not block
};

struct SignerReport {
  enum class Kind : uint32_t { Started, NotStarted, Ended };
  Kind kind = Kind::Ended;
  uint64_t id = 0;
  int value = 0;                 // Started: the pid; Ended: the status as of waitpid(2)
  std::optional<Error> error{};  // NotStarted
};

// No call waits.
class SignerHost {
 public:
  SignerHost() = default;
  SignerHost(const SignerHost&) = default;
  SignerHost& operator=(const SignerHost&) = default;
  SignerHost(SignerHost&&) = default;
  SignerHost& operator=(SignerHost&&) = default;
  virtual ~SignerHost() = default;

  virtual Result<SignerChild> launch() = 0;
  // SIGKILL, to one that may have ended.
  virtual void end(uint64_t id) = 0;
  // What happened since the last call. After NotStarted or Ended the id is nobody's.
  virtual std::vector<SignerReport> take_reports() = 0;
};

// Signers are children of this process.
class OwnSigners final : public SignerHost {
 public:
  // `words` stand in front of --fd on the command line.
  OwnSigners(std::filesystem::path program, std::vector<std::string> words)
      : program_(std::move(program)), words_(std::move(words)) {}

  Result<SignerChild> launch() override;
  void end(uint64_t id) override;
  std::vector<SignerReport> take_reports() override;

  // The pid of one that gets this socket.
  Result<int> launch(uint64_t id, int socket);

 private:
  std::filesystem::path program_;
  std::vector<std::string> words_;
  uint64_t last_id_ = 0;
  std::vector<SignerReport> started_;
  std::map<uint64_t, int> pids_;
};

class SignerLauncher final : public SignerHost {
 public:
  // `user` is what [hsm] of the configuration names.
  static Result<SignerLauncher> start(const std::filesystem::path& program,
                                      const std::filesystem::path& config,
                                      uid_t user);

  Result<SignerChild> launch() override;
  void end(uint64_t id) override;
  std::vector<SignerReport> take_reports() override;

  // Kills a process of the signers' user that a former linesignd left behind.
  void end_orphan(int pid);

  uid_t user() const { return user_; }
  // Readable when there is a report, or when the launcher has ended.
  int fd() const { return socket_.get(); }
  bool is_gone() const { return is_gone_; }

 private:
  SignerLauncher(UniqueFd socket, uid_t user) : socket_(std::move(socket)), user_(user) {}
  UniqueFd socket_;
  uid_t user_ = 0;
  uint64_t last_id_ = 0;
  std::vector<uint64_t> to_end_;  // that the socket has had no room for
  bool is_gone_ = false;
};

// The launcher's side: answers until linesignd closes the socket or ends.
Result<void> run_launcher(const UniqueFd& socket,
                          const std::filesystem::path& program,
                          const std::filesystem::path& config,
                          uid_t user);

}  // namespace linesign

#endif  // LINESIGN_HSM_SIGNER_LAUNCHER_H_
