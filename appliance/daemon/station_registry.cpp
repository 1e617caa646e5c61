#include "appliance/daemon/station_registry.h"

namespace linesign {

StationRegistry::StationRegistry(const std::vector<StationRecord>& stations) {
  for (const StationRecord& station : stations) update(station);
}

void StationRegistry::update(const StationRecord& station) {
  if (!station.certificate_hash) return;
  by_certificate_[*station.certificate_hash] = {
      .identity = {.id = station.id, .name = station.name},
      .revoked = station.state == StationState::Revoked};
}

Result<StationIdentity> StationRegistry::identify(const Sha256& certificate_hash) const {
  const auto found = by_certificate_.find(certificate_hash);
  if (found == by_certificate_.end()) return fail(ErrorCode::StationUnknown);
  if (found->second.revoked) return fail(ErrorCode::StationRevoked, found->second.identity.name);
  return found->second.identity;
}

}  // namespace linesign
