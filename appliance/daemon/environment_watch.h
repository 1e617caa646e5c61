// EnvironmentWatch: looks four times a second whether disk space and clock can be trusted, and says
// so to Health, which stops production until they can.
//
// Threads  the event loop's thread only
#ifndef LINESIGN_APPLIANCE_DAEMON_ENVIRONMENT_WATCH_H_
#define LINESIGN_APPLIANCE_DAEMON_ENVIRONMENT_WATCH_H_

#include <filesystem>
#include <memory>
#include <optional>

#include "appliance/config/config.h"
#include "appliance/issuance/health.h"
#include "hsm/x509/ca_certificate.h"
#include "protocol/base/clock.h"
#include "protocol/event/event_loop.h"

namespace linesign {

class EnvironmentWatch final {
 public:
  // `newest_at` is the time of the ledger's newest row: the clock cannot be before it.
  EnvironmentWatch(EventLoop& loop,
                   const Clock& clock,
                   Health& health,
                   const IssuanceSettings& settings,
                   std::filesystem::path ledger_directory,
                   const CaCertificate& ca,
                   std::optional<UnixTime> newest_at);

  // Looks now, and from now on four times a second.
  void start();

 private:
  void look();
  void look_at_disk();
  void look_at_clock();

  const Clock& clock_;
  Health& health_;
  IssuanceSettings settings_;
  std::filesystem::path ledger_directory_;
  const CaCertificate& ca_;
  UnixTime newest_seen_;
  std::unique_ptr<Timer> timer_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_DAEMON_ENVIRONMENT_WATCH_H_
