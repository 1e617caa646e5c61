// AdminService: what the operator's tools may ask and order, as the admin socket sees it.
//
// Threads  every call and every reply on the event loop's thread; AdminServer carries them
//          over from the HTTP threads
#ifndef LINESIGN_APPLIANCE_ADMIN_API_ADMIN_SERVICE_H_
#define LINESIGN_APPLIANCE_ADMIN_API_ADMIN_SERVICE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "appliance/admin/api/cloud_service.h"
#include "appliance/records/certificate_expiry.h"
#include "appliance/records/clock_event.h"
#include "appliance/records/ledger_figures.h"
#include "appliance/records/station_record.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"

namespace linesign {

// One reason why the appliance does not produce.
struct Obstacle {
  Error error;
  UnixTime since{};
};

struct SignerStatus {
  int pid = 0;
  std::string state;  // "starting", "ready", "waiting", "stopped", "quarantined"
  uint64_t restarts = 0;
  uint64_t signatures = 0;
  uint64_t wrong_signatures = 0;                // also before this start
  std::optional<UnixTime> quarantined_since{};  // two of them within an hour
};

// Of the station port.
struct ConnectionFigures {
  uint32_t max_sessions = 0;
  uint32_t handshakes = 0;          // in progress
  uint32_t stations_at_limit = 0;   // with as many sessions as allowed
  uint64_t failed_handshakes = 0;   // since start, like all that follows
  uint64_t dropped_handshakes = 0;  // gave way to others: a flood
  uint64_t session_limit = 0;       // refused: the station has as many sessions as allowed
  uint64_t sessions_full = 0;       // refused: all stations together have
  uint64_t replaced_sessions = 0;   // silent for long, gave way to a new one of their station
  uint64_t dropped_stalled = 0;     // stations that do not read
  uint64_t out_of_descriptors = 0;  // pauses of accepting

  friend bool operator==(const ConnectionFigures&, const ConnectionFigures&) = default;
};

struct ApplianceStatus {
  std::string version;
  UnixTime started_at{};
  bool producing = false;
  UnixTime since{};                 // of the present producing or not producing
  std::vector<Obstacle> obstacles;  // empty while producing
  std::string ca_subject;
  UnixTime ca_not_after{};
  ExpiryFigures expiry;
  std::string token;
  std::string pin_warning;  // what the token said of PIN tries; empty: nothing
  uint16_t station_port = 0;
  uint32_t sessions = 0;
  ConnectionFigures connections;
  uint32_t in_flight = 0;
  LedgerSummary ledger;
  GroupCommitCounters commits;
  uint64_t issued = 0;                 // since start
  uint64_t refused = 0;                // since start
  uint64_t busy = 0;                   // since start
  std::vector<std::string> throttled;  // stations that are not heard for a while
  std::vector<SignerStatus> signers;
  std::vector<std::string> missing_protections;  // a sentence each; empty: all are in effect
  std::optional<CloudBacklog> cloud;             // absent: no targets are configured
};

struct StationListEntry {
  StationRecord record;
  uint32_t sessions = 0;
  std::optional<UnixTime> certificate_not_after = {};  // absent while invited
  uint64_t refused = 0;                                // since start
  uint32_t throttled_seconds = 0;                      // for so long it is not heard
};

class AdminService {
 public:
  AdminService() = default;
  AdminService(const AdminService&) = delete;
  AdminService& operator=(const AdminService&) = delete;
  virtual ~AdminService() = default;

  virtual void status(std::function<void(Result<ApplianceStatus>)> reply) = 0;
  // The join token's text.
  virtual void add_station(std::string name, std::function<void(Result<std::string>)> reply) = 0;
  virtual void list_stations(std::function<void(Result<std::vector<StationListEntry>>)> reply) = 0;
  virtual void revoke_station(std::string name,
                              std::function<void(Result<StationRecord>)> reply) = 0;

  // The system clock is right; `is_back`: and the newest time known here was not.
  virtual void confirm_clock(bool is_back, std::function<void(Result<ClockEvent>)> reply) = 0;

  // The HSM is to be trusted again after wrong signatures; how many signers were in quarantine.
  virtual void trust_hsm(std::function<void(Result<uint64_t>)> reply) = 0;

  virtual CloudService& cloud() = 0;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ADMIN_API_ADMIN_SERVICE_H_
