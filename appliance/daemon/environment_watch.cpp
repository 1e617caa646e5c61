#include "appliance/daemon/environment_watch.h"

#include <utility>

#include "appliance/startup/start_check.h"

namespace linesign {
namespace {

constexpr std::chrono::milliseconds kPeriod(250);

}  // namespace

EnvironmentWatch::EnvironmentWatch(EventLoop& loop,
                                   ClockGuard& clock,
                                   Health& health,
                                   const IssuanceSettings& settings,
                                   std::filesystem::path ledger_directory)
    : clock_(clock),
      health_(health),
      settings_(settings),
      ledger_directory_(std::move(ledger_directory)),
      timer_(loop.make_timer([this] { look(); })) {}

void EnvironmentWatch::start() { look(); }

void EnvironmentWatch::look() {
  look_at_disk();
  static_cast<void>(clock_.now());  // it tells Health
  timer_->start(kPeriod);
}

void EnvironmentWatch::look_at_disk() {
  if (const auto room = check_disk(ledger_directory_, settings_.min_free_bytes); !room.has_value())
    health_.set(Cause::Disk, room.error());
  else
    health_.clear(Cause::Disk);
}

}  // namespace linesign
