// StationRegistry: which station certificates are good right now. The ledger's list, in memory, so
// that a connection can be judged at once; and the keys that no device may have, because a station
// or the appliance has them.
//
// Threads  the event loop's thread only
#ifndef LINESIGN_APPLIANCE_DAEMON_STATION_REGISTRY_H_
#define LINESIGN_APPLIANCE_DAEMON_STATION_REGISTRY_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "appliance/ledger/ledger.h"
#include "hsm/x509/certificate_facts.h"
#include "stations/listener/station_service.h"

namespace linesign {

class StationRegistry final {
 public:
  explicit StationRegistry(const std::vector<StationRecord>& stations);

  // After the ledger's transaction is durable.
  void update(const StationRecord& station);

  // StationUnknown, StationRevoked.
  Result<StationIdentity> identify(const Sha256& certificate_hash) const;

  // Each station that is not revoked, and the end of its certificate.
  void for_each_active(
      const std::function<void(const std::string& name, UnixTime not_after)>& visit) const;

  // The end of this certificate, also of a revoked station. Absent: it is not known.
  std::optional<UnixTime> not_after(const Sha256& certificate_hash) const;

  // The key of this certificate, besides those of stations: "the station CA".
  void reserve_key(ByteView certificate_der, const std::string& owner);
  // CsrKeyReserved. `key_hash` is that of public_key_hash().
  Result<void> check_device_key(const Sha256& key_hash) const;

 private:
  struct Entry {
    StationIdentity identity;
    bool revoked = false;
    std::optional<UnixTime> not_after;  // absent: it cannot be read
  };
  void reserve_key(const CertificateFacts& facts, const std::string& owner);

  std::map<Sha256, Entry> by_certificate_;
  std::map<Sha256, std::string> owners_;  // by key
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_DAEMON_STATION_REGISTRY_H_
