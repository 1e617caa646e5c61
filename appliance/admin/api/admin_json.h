// AdminJson: the shapes of everything that crosses the admin socket, for both of its sides.
//
// Shape    times are ISO 8601 in UTC, hashes lower-case hex, an absent time is null
//          status    {version, started_at, producing, since, obstacles: [{since, error}],
//                     ca: {subject, not_after}, expiry: {certificates: [{name, not_after,
//                     days_left}], devices_cut_at, stations_ending, stations_ended, next_station:
//                     {name, not_after, days_left} or null}, token, pin_warning, station_port,
//                     sessions, connections: {max_sessions, handshakes, stations_at_limit,
//                     failed_handshakes, dropped_handshakes, session_limit, sessions_full,
//                     replaced_sessions, dropped_stalled, out_of_descriptors}, in_flight, ledger:
//                     {intents, certificates, voids, newest_at}, commits: {transactions, writes},
//                     issued, refused, busy, throttled:
//                     [{name}], signers: [{pid, state, restarts, signatures, wrong_signatures,
//                     quarantined_since}], missing_protections: [sentence], cloud: {waiting,
//                     parked, oldest_waiting_at} or null}
//          stations  {stations: [station]}; station {id, name, state, certificate_sha256,
//                     created_at, enrolled_at, revoked_at, token_expires_at, sessions,
//                     certificate_not_after, refused, throttled_seconds}
//          clock     {clock_at, trusted_at}; the request to confirm it is {back}
//          error     {code, name, kind, message, detail}; a failed call answers {error: error}
// Errors   InputInvalid with the member that is missing or wrong
// Threads  no state, safe anywhere
#ifndef LINESIGN_APPLIANCE_ADMIN_API_ADMIN_JSON_H_
#define LINESIGN_APPLIANCE_ADMIN_API_ADMIN_JSON_H_

#include <string>
#include <string_view>
#include <vector>

#include "appliance/admin/api/admin_service.h"
#include "protocol/base/error.h"
#include "protocol/base/result.h"

namespace linesign {

std::string status_to_json(const ApplianceStatus& status);
Result<ApplianceStatus> status_from_json(std::string_view json);

// The certificate itself does not travel: certificate_der is empty on the other side.
std::string stations_to_json(const std::vector<StationListEntry>& stations);
Result<std::vector<StationListEntry>> stations_from_json(std::string_view json);

std::string station_to_json(const StationRecord& station);
Result<StationRecord> station_from_json(std::string_view json);

// {"name": ...}: the request for a new station. Any other member is refused.
std::string station_name_to_json(std::string_view name);
Result<std::string> station_name_from_json(std::string_view json);

// {"released": ...}
std::string released_to_json(uint64_t released);
Result<uint64_t> released_from_json(std::string_view json);

// {"token": ...}
std::string token_to_json(std::string_view token);
Result<std::string> token_from_json(std::string_view json);

// {"back": ...}: the request to confirm the clock; and the answer, of which the kind is known.
std::string clock_request_to_json(bool is_back);
Result<bool> clock_request_from_json(std::string_view json);
std::string clock_event_to_json(const ClockEvent& event);
Result<ClockEvent> clock_event_from_json(std::string_view json);

std::string error_to_json(const Error& error);
// A code that this version does not know becomes Internal and keeps its name in the detail.
Result<Error> error_from_json(std::string_view json);

// "invited", "active", "revoked"
std::string_view to_string(StationState state);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ADMIN_API_ADMIN_JSON_H_
