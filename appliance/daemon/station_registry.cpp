#include "appliance/daemon/station_registry.h"

#include "hsm/x509/certificate_facts.h"

namespace linesign {

StationRegistry::StationRegistry(const std::vector<StationRecord>& stations) {
  for (const StationRecord& station : stations) update(station);
}

void StationRegistry::update(const StationRecord& station) {
  if (!station.certificate_hash) return;
  const auto facts = read_certificate_facts(station.certificate_der);
  by_certificate_[*station.certificate_hash] = {
      .identity = {.id = station.id, .name = station.name},
      .revoked = station.state == StationState::Revoked,
      .not_after = facts.has_value() ? facts->not_after : UnixTime{}};
}

void StationRegistry::for_each_active(
    const std::function<void(const std::string& name, UnixTime not_after)>& visit) const {
  for (const auto& [hash, entry] : by_certificate_)
    if (!entry.revoked) visit(entry.identity.name, entry.not_after);
}

Result<StationIdentity> StationRegistry::identify(const Sha256& certificate_hash) const {
  const auto found = by_certificate_.find(certificate_hash);
  if (found == by_certificate_.end()) return fail(ErrorCode::StationUnknown);
  if (found->second.revoked) return fail(ErrorCode::StationRevoked, found->second.identity.name);
  return found->second.identity;
}

}  // namespace linesign
