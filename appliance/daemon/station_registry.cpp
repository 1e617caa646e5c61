#include "appliance/daemon/station_registry.h"

#include "hsm/x509/csr.h"

namespace linesign {

StationRegistry::StationRegistry(const std::vector<StationRecord>& stations) {
  for (const StationRecord& station : stations) update(station);
}

void StationRegistry::update(const StationRecord& station) {
  if (!station.certificate_hash) return;
  const auto [found, is_new] = by_certificate_.try_emplace(*station.certificate_hash);
  Entry& entry = found->second;
  entry.identity = {.id = station.id, .name = station.name};
  entry.revoked = station.state == StationState::Revoked;
  if (!is_new) return;  // what stands in the certificate is known
  const auto facts = read_certificate_facts(station.certificate_der);
  if (!facts.has_value()) return;
  entry.not_after = facts->not_after;
  reserve_key(*facts, "station " + station.name);
}

void StationRegistry::reserve_key(ByteView certificate_der, const std::string& owner) {
  const auto facts = read_certificate_facts(certificate_der);
  if (facts.has_value()) reserve_key(*facts, owner);
}

void StationRegistry::reserve_key(const CertificateFacts& facts, const std::string& owner) {
  owners_.try_emplace(sha256(facts.spki), owner);
}

std::optional<UnixTime> StationRegistry::not_after(const Sha256& certificate_hash) const {
  const auto found = by_certificate_.find(certificate_hash);
  return found == by_certificate_.end() ? std::nullopt : found->second.not_after;
}

Result<void> StationRegistry::check_device_key(const Sha256& key_hash) const {
  const auto found = owners_.find(key_hash);
  if (found == owners_.end()) return {};
  return fail(ErrorCode::CsrKeyReserved, "it is the key of " + found->second);
}

void StationRegistry::for_each_active(
    const std::function<void(const std::string& name, UnixTime not_after)>& visit) const {
  for (const auto& [hash, entry] : by_certificate_)
    if (!entry.revoked) visit(entry.identity.name, entry.not_after.value_or(UnixTime{}));
}

Result<StationIdentity> StationRegistry::identify(const Sha256& certificate_hash) const {
  const auto found = by_certificate_.find(certificate_hash);
  if (found == by_certificate_.end()) return fail(ErrorCode::StationUnknown);
  if (found->second.revoked) return fail(ErrorCode::StationRevoked, found->second.identity.name);
  return found->second.identity;
}

}  // namespace linesign
