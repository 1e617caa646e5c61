// OperatorDesk: what the operator's tools may ask and order, joined from the parts of the daemon.
//
// Threads  the event loop's thread
#ifndef LINESIGN_APPLIANCE_DAEMON_OPERATOR_DESK_H_
#define LINESIGN_APPLIANCE_DAEMON_OPERATOR_DESK_H_

#include <chrono>
#include <memory>
#include <string>

#include "appliance/admin/api/admin_service.h"
#include "appliance/daemon/cloud_desk.h"
#include "appliance/daemon/expiry_watch.h"
#include "appliance/daemon/ledger_look.h"
#include "appliance/daemon/station_registry.h"
#include "appliance/enrollment/station_ca.h"
#include "appliance/issuance/clock_guard.h"
#include "appliance/issuance/health.h"
#include "appliance/issuance/issuance.h"
#include "appliance/ledger/group_commit.h"
#include "appliance/signers/signer_pool.h"
#include "hsm/x509/ca_certificate.h"
#include "stations/listener/listener.h"

namespace linesign {

class OperatorDesk final : public AdminService {
 public:
  // Borrowed; all outlive this object.
  struct Parts {
    EventLoop& loop;
    const Clock& clock;
    const Health& health;
    ClockGuard& clock_guard;
    GroupCommit& ledger;
    const Issuance& issuance;
    SignerPool& signers;
    StationRegistry& registry;
    Listener& listener;
    const StationCa& station_ca;
    const CaCertificate& ca;
    const ExpiryWatch& expiry;
    DeviceIdRules& device_ids;
  };
  struct Settings {
    std::string advertise;  // host:port for join tokens
    std::chrono::seconds token_lifetime;
  };

  OperatorDesk(Parts parts, Settings settings);

  void status(std::function<void(Result<ApplianceStatus>)> reply) override;
  void add_station(std::string name, std::function<void(Result<std::string>)> reply) override;
  void list_stations(std::function<void(Result<std::vector<StationListEntry>>)> reply) override;
  void revoke_station(std::string name, std::function<void(Result<StationRecord>)> reply) override;
  void confirm_clock(bool is_back, std::function<void(Result<ClockEvent>)> reply) override;
  void trust_hsm(std::function<void(Result<uint64_t>)> reply) override;
  CloudService& cloud() override { return cloud_; }

 private:
  ConnectionFigures connection_figures() const;
  ApplianceStatus status_without_ledger() const;

  Parts parts_;
  Settings settings_;
  CloudDesk cloud_;
  LedgerLook ledger_look_;
  UnixTime started_at_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_DAEMON_OPERATOR_DESK_H_
