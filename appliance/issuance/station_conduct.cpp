#include "appliance/issuance/station_conduct.h"

#include <algorithm>

namespace linesign {
namespace {

using std::chrono::milliseconds;

// A tray of devices with a wrong firmware is heard to its end; a flood is not.
constexpr double kAllowed = 100;
constexpr double kAllowedAfterWait = 20;
constexpr double kBackPerSecond = 2;
constexpr milliseconds kFirstWait(1000);
constexpr milliseconds kMaxWait(60'000);

// The CSR itself was wrong; not, say, that its device has a certificate.
bool is_csr_fault(ErrorCode code) {
  const auto number = static_cast<uint32_t>(code);
  return number >= 200 && number < 300;
}

}  // namespace

// As it is now: what came back with time is counted.
StationConduct::Station& StationConduct::station_of(const StationIdentity& identity) {
  const SteadyTime now = clock_.steady();
  const auto [found, is_new] = stations_.try_emplace(identity.id);
  Station& station = found->second;
  if (is_new) {
    station.name = identity.name;
    station.allowed = kAllowed;
    station.counted_at = now;
  }
  if (now < station.not_before) return station;
  const std::chrono::duration<double> quiet =
      now - std::max(station.counted_at, station.not_before);
  station.counted_at = now;
  station.allowed = std::min(kAllowed, station.allowed + quiet.count() * kBackPerSecond);
  if (station.allowed >= kAllowed) station.last_wait = milliseconds(0);
  return station;
}

std::optional<milliseconds> StationConduct::wait_of(int64_t station_id) const {
  const auto found = stations_.find(station_id);
  const SteadyTime now = clock_.steady();
  if (found == stations_.end() || found->second.not_before <= now) return std::nullopt;
  return std::chrono::ceil<milliseconds>(found->second.not_before - now);
}

uint64_t StationConduct::refused_of(int64_t station_id) const {
  const auto found = stations_.find(station_id);
  return found == stations_.end() ? 0 : found->second.refused;
}

std::optional<milliseconds> StationConduct::note_refusal(const StationIdentity& identity,
                                                         ErrorCode code) {
  Station& station = station_of(identity);
  ++station.refused;
  const SteadyTime now = clock_.steady();
  // What was on its way when the wait began makes it no longer.
  if (!is_csr_fault(code) || now < station.not_before) return std::nullopt;
  station.allowed -= 1;
  if (station.allowed >= 0) return std::nullopt;
  station.last_wait = std::clamp(station.last_wait * 2, kFirstWait, kMaxWait);
  station.not_before = now + station.last_wait;
  station.allowed = kAllowedAfterWait;
  return station.last_wait;
}

void StationConduct::note_new_intent(int64_t station_id) {
  const auto found = stations_.find(station_id);
  if (found == stations_.end()) return;
  found->second.allowed = std::min(kAllowed, found->second.allowed + 1);
}

std::vector<std::string> StationConduct::throttled() const {
  const SteadyTime now = clock_.steady();
  std::vector<std::string> names;
  for (const auto& [id, station] : stations_) {
    if (station.not_before > now) names.push_back(station.name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace linesign
