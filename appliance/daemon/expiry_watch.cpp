#include "appliance/daemon/expiry_watch.h"

#include <utility>

#include <spdlog/spdlog.h>

#include "appliance/startup/start_check.h"
#include "protocol/base/expiry.h"

namespace linesign {
namespace {

constexpr std::chrono::minutes kLookPeriod(10);
constexpr std::chrono::hours kLogPeriod(24);

}  // namespace

ExpiryWatch::ExpiryWatch(EventLoop& loop, Parts parts)
    : parts_(parts), timer_(loop.make_timer([this] { look(); })) {}

void ExpiryWatch::start() { look(); }

ExpiryFigures ExpiryWatch::figures() const {
  const UnixTime now = parts_.clock.now();
  ExpiryFigures figures = ca_expiry(parts_.ca, parts_.profile, now);
  for (const auto& [name, not_after] :
       {std::pair("station CA", parts_.station_ca.not_after()),
        std::pair("TLS certificate", parts_.station_ca.server_not_after())})
    figures.certificates.push_back({name, not_after, days_left(not_after, now)});
  parts_.registry.for_each_active([&](const std::string& name, UnixTime not_after) {
    const auto due = expiry_warning(not_after, now);
    if (!due.has_value()) return;
    if (*due == 0) {
      ++figures.stations_ended;
      return;
    }
    ++figures.stations_ending;
    auto& next = figures.next_station;
    if (!next.has_value() || not_after < next->not_after)
      next = CertificateEnd{name, not_after, days_left(not_after, now)};
  });
  return figures;
}

void ExpiryWatch::look() {
  const SteadyTime now = parts_.clock.steady();
  for (const ExpiryWarning& warning : expiry_warnings(figures(), parts_.clock.now())) {
    const auto told = told_.find(warning.about);
    // Less time than was told is told at once.
    const bool is_told = told != told_.end() &&
                         (warning.days == told->second.days ||
                          (warning.days > told->second.days && now - told->second.at < kLogPeriod));
    if (is_told) continue;
    told_[warning.about] = {warning.days, now};
    spdlog::warn("certificate expiry: {}", warning.sentence);
  }
  timer_->start(kLookPeriod);
}

}  // namespace linesign
