// EnvironmentWatch: looks four times a second whether there is disk space and whether the clock can
// be trusted, and says so to Health, which stops production until they can.
//
// Threads  the event loop's thread only
#ifndef LINESIGN_APPLIANCE_DAEMON_ENVIRONMENT_WATCH_H_
#define LINESIGN_APPLIANCE_DAEMON_ENVIRONMENT_WATCH_H_

#include <filesystem>
#include <memory>

#include "appliance/config/config.h"
#include "appliance/issuance/clock_guard.h"
#include "appliance/issuance/health.h"
#include "protocol/event/event_loop.h"

namespace linesign {

class EnvironmentWatch final {
 public:
  EnvironmentWatch(EventLoop& loop,
                   ClockGuard& clock,
                   Health& health,
                   const IssuanceSettings& settings,
                   std::filesystem::path ledger_directory);

  // Looks now, and from now on four times a second.
  void start();

 private:
  void look();
  void look_at_disk();

  ClockGuard& clock_;
  Health& health_;
  IssuanceSettings settings_;
  std::filesystem::path ledger_directory_;
  std::unique_ptr<Timer> timer_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_DAEMON_ENVIRONMENT_WATCH_H_
