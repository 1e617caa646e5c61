// Daemon: linesignd put together: reads nothing, decides nothing, joins the parts and lets them
// run.
//
// Errors   open(): what keeps the daemon from starting; its exit code is the program's
// Threads  open() and run() on the main thread, which becomes the event loop's
#ifndef LINESIGN_APPLIANCE_DAEMON_DAEMON_H_
#define LINESIGN_APPLIANCE_DAEMON_DAEMON_H_

#include <filesystem>
#include <memory>
#include <optional>

#include "appliance/config/config.h"
#include "hsm/signer/launcher.h"
#include "protocol/base/result.h"

namespace linesign {

// How signers are started.
struct SignerStart {
  std::filesystem::path program;           // linesign-signer
  std::optional<SignerLauncher> launcher;  // of give_up_rights()
};

class Daemon final {
 public:
  static Result<std::unique_ptr<Daemon>> open(Config config, SignerStart signers);
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon();

  // Until SIGTERM or SIGINT; then drains for at most daemon.drain_timeout, says Goodbye to
  // stations, and ends when they have closed, or soon after. A second signal hurries. Nothing that
  // is in the ledger is lost by a longer drain being cut short. An error: it cannot go on and wants
  // to be started again.
  Result<void> run();

 private:
  class Implementation;
  explicit Daemon(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_DAEMON_DAEMON_H_
