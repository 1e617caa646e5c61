// Daemon: linesignd put together: reads nothing, decides nothing, joins the parts and lets them
// run.
//
// Errors   open(): what keeps the daemon from starting; its exit code is the program's
// Threads  open() and run() on the main thread, which becomes the event loop's
#ifndef LINESIGN_APPLIANCE_DAEMON_DAEMON_H_
#define LINESIGN_APPLIANCE_DAEMON_DAEMON_H_

#include <filesystem>
#include <memory>

#include "appliance/config/config.h"
#include "protocol/base/result.h"

namespace linesign {

class Daemon final {
 public:
  // `signer_program` is linesign-signer.
  static Result<std::unique_ptr<Daemon>> open(Config config, std::filesystem::path signer_program);
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon();

  // Until SIGTERM or SIGINT; then drains for at most daemon.drain_timeout. Nothing that is in the
  // ledger is lost by a longer drain being cut short.
  void run();

 private:
  class Implementation;
  explicit Daemon(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_DAEMON_DAEMON_H_
