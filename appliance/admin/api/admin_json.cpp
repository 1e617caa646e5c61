#include "appliance/admin/api/admin_json.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "appliance/admin/api/json_fields.h"

namespace linesign {
namespace {

using namespace json;  // NOLINT(google-build-using-namespace): a file of this folder's JSON

constexpr std::array<std::pair<StationState, std::string_view>, 3> kStates = {{
    {StationState::Invited, "invited"},
    {StationState::Active, "active"},
    {StationState::Revoked, "revoked"},
}};

// --- writing

Object::Ptr error_object(const Error& error) {
  const ErrorInfo& info = error_info(error.code());
  Object::Ptr object = make_object();
  object->set("code", static_cast<uint32_t>(error.code()));
  object->set("name", std::string(info.name));
  object->set("kind", std::string(to_string(info.kind)));
  object->set("message", std::string(info.sentence));
  object->set("detail", error.detail());
  return object;
}

Object::Ptr obstacle_object(const Obstacle& obstacle) {
  Object::Ptr object = make_object();
  object->set("since", to_iso8601(obstacle.since));
  object->set("error", error_object(obstacle.error));
  return object;
}

Object::Ptr station_object(const StationRecord& station) {
  Object::Ptr object = make_object();
  object->set("id", station.id);
  object->set("name", station.name);
  object->set("state", std::string(to_string(station.state)));
  object->set("certificate_sha256", hash_or_null(station.certificate_hash));
  object->set("created_at", to_iso8601(station.created_at));
  object->set("enrolled_at", time_or_null(station.enrolled_at));
  object->set("revoked_at", time_or_null(station.revoked_at));
  object->set("token_expires_at", time_or_null(station.token_expires_at));
  return object;
}

Object::Ptr signer_object(const SignerStatus& signer) {
  Object::Ptr object = make_object();
  object->set("pid", signer.pid);
  object->set("state", signer.state);
  object->set("restarts", signer.restarts);
  object->set("signatures", signer.signatures);
  object->set("wrong_signatures", signer.wrong_signatures);
  object->set("quarantined_since", time_or_null(signer.quarantined_since));
  return object;
}

Object::Ptr ledger_object(const LedgerSummary& ledger) {
  Object::Ptr object = make_object();
  object->set("intents", ledger.intents);
  object->set("certificates", ledger.certificates);
  object->set("voids", ledger.voids);
  object->set("newest_at", time_or_null(ledger.newest_at));
  return object;
}

Object::Ptr connections_object(const ConnectionFigures& connections) {
  Object::Ptr object = make_object();
  object->set("max_sessions", connections.max_sessions);
  object->set("handshakes", connections.handshakes);
  object->set("stations_at_limit", connections.stations_at_limit);
  object->set("failed_handshakes", connections.failed_handshakes);
  object->set("dropped_handshakes", connections.dropped_handshakes);
  object->set("session_limit", connections.session_limit);
  object->set("sessions_full", connections.sessions_full);
  object->set("replaced_sessions", connections.replaced_sessions);
  object->set("dropped_stalled", connections.dropped_stalled);
  object->set("out_of_descriptors", connections.out_of_descriptors);
  return object;
}

Object::Ptr end_object(const CertificateEnd& end) {
  Object::Ptr object = make_object();
  object->set("name", end.name);
  object->set("not_after", to_iso8601(end.not_after));
  object->set("days_left", end.days_left);
  return object;
}

Object::Ptr expiry_object(const ExpiryFigures& expiry) {
  Object::Ptr object = make_object();
  object->set("certificates", list_of(expiry.certificates, end_object));
  object->set("devices_cut_at", time_or_null(expiry.devices_cut_at));
  object->set("stations_ending", expiry.stations_ending);
  object->set("stations_ended", expiry.stations_ended);
  const auto& next = expiry.next_station;
  object->set("next_station", next ? Poco::Dynamic::Var(end_object(*next)) : Poco::Dynamic::Var());
  return object;
}

Poco::Dynamic::Var backlog_or_null(const std::optional<CloudBacklog>& backlog) {
  if (!backlog.has_value()) return {};
  Object::Ptr object = make_object();
  object->set("waiting", backlog->waiting);
  object->set("parked", backlog->parked);
  object->set("oldest_waiting_at", time_or_null(backlog->oldest_waiting_at));
  return object;
}

// --- reading

Error read_error(const Object& object) {
  const auto number = number_of<uint32_t>(object, "code");
  const std::string detail = text_of(object, "detail");
  if (const auto code = find_error_code(number)) return Error(*code, detail);
  return Error(
      ErrorCode::Internal,
      fmt::format(
          "{} {}: {} ({})", number, text_of(object, "name"), text_of(object, "message"), detail));
}

SignerStatus read_signer(const Object& object) {
  SignerStatus signer;
  signer.pid = number_of<int>(object, "pid");
  signer.state = text_of(object, "state");
  signer.restarts = number_of<uint64_t>(object, "restarts");
  signer.signatures = number_of<uint64_t>(object, "signatures");
  signer.wrong_signatures = number_of<uint64_t>(object, "wrong_signatures");
  signer.quarantined_since = optional_time_of(object, "quarantined_since");
  return signer;
}

LedgerSummary read_ledger(const Object& object) {
  LedgerSummary ledger;
  ledger.intents = number_of<uint64_t>(object, "intents");
  ledger.certificates = number_of<uint64_t>(object, "certificates");
  ledger.voids = number_of<uint64_t>(object, "voids");
  ledger.newest_at = optional_time_of(object, "newest_at");
  return ledger;
}

ConnectionFigures read_connections(const Object& object) {
  ConnectionFigures connections;
  connections.max_sessions = number_of<uint32_t>(object, "max_sessions");
  connections.handshakes = number_of<uint32_t>(object, "handshakes");
  connections.stations_at_limit = number_of<uint32_t>(object, "stations_at_limit");
  connections.failed_handshakes = number_of<uint64_t>(object, "failed_handshakes");
  connections.dropped_handshakes = number_of<uint64_t>(object, "dropped_handshakes");
  connections.session_limit = number_of<uint64_t>(object, "session_limit");
  connections.sessions_full = number_of<uint64_t>(object, "sessions_full");
  connections.replaced_sessions = number_of<uint64_t>(object, "replaced_sessions");
  connections.dropped_stalled = number_of<uint64_t>(object, "dropped_stalled");
  connections.out_of_descriptors = number_of<uint64_t>(object, "out_of_descriptors");
  return connections;
}

CertificateEnd read_end(const Object& object) {
  return {text_of(object, "name"),
          time_of(object, "not_after"),
          number_of<int64_t>(object, "days_left")};
}

// Absent where an older linesignd does not know the member.
ExpiryFigures read_expiry(const Object& object) {
  ExpiryFigures expiry;
  if (object.isNull("expiry")) return expiry;
  const Object::Ptr member = object_of(object, "expiry");
  for_each_object(*member, "certificates", [&](const Object& each) {
    expiry.certificates.push_back(read_end(each));
  });
  expiry.devices_cut_at = optional_time_of(*member, "devices_cut_at");
  expiry.stations_ending = number_of<uint32_t>(*member, "stations_ending");
  expiry.stations_ended = number_of<uint32_t>(*member, "stations_ended");
  if (!member->isNull("next_station"))
    expiry.next_station = read_end(*object_of(*member, "next_station"));
  return expiry;
}

// Absent also where an older linesignd does not know the member.
std::optional<CloudBacklog> read_backlog(const Object& object) {
  if (object.isNull("cloud")) return std::nullopt;
  const Object::Ptr member = object_of(object, "cloud");
  CloudBacklog backlog;
  backlog.waiting = number_of<uint64_t>(*member, "waiting");
  backlog.parked = number_of<uint64_t>(*member, "parked");
  backlog.oldest_waiting_at = optional_time_of(*member, "oldest_waiting_at");
  return backlog;
}

ApplianceStatus read_status(const Object& object) {
  ApplianceStatus status;
  status.version = text_of(object, "version");
  status.started_at = time_of(object, "started_at");
  status.producing = flag_of(object, "producing");
  status.since = time_of(object, "since");
  for_each_object(object, "obstacles", [&](const Object& obstacle) {
    status.obstacles.push_back(
        {read_error(*object_of(obstacle, "error")), time_of(obstacle, "since")});
  });
  const Object::Ptr ca = object_of(object, "ca");
  status.ca_subject = text_of(*ca, "subject");
  status.ca_not_after = time_of(*ca, "not_after");
  status.expiry = read_expiry(object);
  status.token = text_of(object, "token");
  status.pin_warning = text_of(object, "pin_warning");
  status.station_port = number_of<uint16_t>(object, "station_port");
  status.sessions = number_of<uint32_t>(object, "sessions");
  if (!object.isNull("connections"))
    status.connections = read_connections(*object_of(object, "connections"));
  status.in_flight = number_of<uint32_t>(object, "in_flight");
  status.ledger = read_ledger(*object_of(object, "ledger"));
  const Object::Ptr commits = object_of(object, "commits");
  status.commits = {number_of<uint64_t>(*commits, "transactions"),
                    number_of<uint64_t>(*commits, "writes")};
  status.issued = number_of<uint64_t>(object, "issued");
  status.refused = number_of<uint64_t>(object, "refused");
  status.busy = number_of<uint64_t>(object, "busy");
  for_each_object(object, "throttled", [&](const Object& station) {
    status.throttled.push_back(text_of(station, "name"));
  });
  for_each_object(object, "signers", [&](const Object& signer) {
    status.signers.push_back(read_signer(signer));
  });
  status.missing_protections = texts_of(object, "missing_protections");
  status.cloud = read_backlog(object);
  return status;
}

StationRecord read_station(const Object& object) {
  StationRecord station;
  station.id = number_of<int64_t>(object, "id");
  station.name = text_of(object, "name");
  const std::string state = text_of(object, "state");
  const auto* const row = std::find_if(
      kStates.begin(), kStates.end(), [&](const auto& s) { return s.second == state; });
  if (row == kStates.end()) wrong("a known state is expected", state);
  station.state = row->first;
  station.certificate_hash = optional_hash_of(object, "certificate_sha256");
  station.created_at = time_of(object, "created_at");
  station.enrolled_at = optional_time_of(object, "enrolled_at");
  station.revoked_at = optional_time_of(object, "revoked_at");
  station.token_expires_at = optional_time_of(object, "token_expires_at");
  return station;
}

std::string single_member(const std::string& key, std::string_view value) {
  Object::Ptr object = make_object();
  object->set(key, std::string(value));
  return stringify(*object);
}

}  // namespace

std::string_view to_string(StationState state) {
  const auto* const row =
      std::find_if(kStates.begin(), kStates.end(), [&](const auto& s) { return s.first == state; });
  return row != kStates.end() ? row->second : "unknown";
}

std::string status_to_json(const ApplianceStatus& status) {
  Object::Ptr object = make_object();
  object->set("version", status.version);
  object->set("started_at", to_iso8601(status.started_at));
  object->set("producing", status.producing);
  object->set("since", to_iso8601(status.since));
  object->set("obstacles", list_of(status.obstacles, obstacle_object));
  Object::Ptr ca = make_object();
  ca->set("subject", status.ca_subject);
  ca->set("not_after", to_iso8601(status.ca_not_after));
  object->set("ca", ca);
  object->set("expiry", expiry_object(status.expiry));
  object->set("token", status.token);
  object->set("pin_warning", status.pin_warning);
  object->set("station_port", status.station_port);
  object->set("sessions", status.sessions);
  object->set("connections", connections_object(status.connections));
  object->set("in_flight", status.in_flight);
  object->set("ledger", ledger_object(status.ledger));
  Object::Ptr commits = make_object();
  commits->set("transactions", status.commits.transactions);
  commits->set("writes", status.commits.writes);
  object->set("commits", commits);
  object->set("issued", status.issued);
  object->set("refused", status.refused);
  object->set("busy", status.busy);
  object->set("throttled", list_of(status.throttled, [](const std::string& name) {
                Object::Ptr station = make_object();
                station->set("name", name);
                return station;
              }));
  object->set("signers", list_of(status.signers, signer_object));
  object->set("missing_protections",
              list_of(status.missing_protections, [](const std::string& text) { return text; }));
  object->set("cloud", backlog_or_null(status.cloud));
  return stringify(*object);
}

Result<ApplianceStatus> status_from_json(std::string_view json) {
  return parse_as<ApplianceStatus>(json, read_status);
}

std::string stations_to_json(const std::vector<StationListEntry>& stations) {
  Array::Ptr list = Poco::makeShared<Array>();
  for (const StationListEntry& entry : stations) {
    Object::Ptr row = station_object(entry.record);
    row->set("sessions", entry.sessions);
    row->set("certificate_not_after", time_or_null(entry.certificate_not_after));
    row->set("refused", entry.refused);
    row->set("throttled_seconds", entry.throttled_seconds);
    list->add(row);
  }
  Object::Ptr object = make_object();
  object->set("stations", list);
  return stringify(*object);
}

Result<std::vector<StationListEntry>> stations_from_json(std::string_view json) {
  return parse_as<std::vector<StationListEntry>>(json, [](const Object& object) {
    std::vector<StationListEntry> stations;
    for_each_object(object, "stations", [&](const Object& row) {
      stations.push_back({read_station(row),
                          number_of<uint32_t>(row, "sessions"),
                          row.isNull("certificate_not_after")
                              ? std::nullopt
                              : optional_time_of(row, "certificate_not_after"),
                          number_of<uint64_t>(row, "refused"),
                          number_of<uint32_t>(row, "throttled_seconds")});
    });
    return stations;
  });
}

std::string station_to_json(const StationRecord& station) {
  return stringify(*station_object(station));
}

Result<StationRecord> station_from_json(std::string_view json) {
  return parse_as<StationRecord>(json, read_station);
}

std::string station_name_to_json(std::string_view name) { return single_member("name", name); }

Result<std::string> station_name_from_json(std::string_view json) {
  return parse_as<std::string>(json, [](const Object& object) {
    expect_members(object, {"name"});
    return text_of(object, "name");
  });
}

std::string released_to_json(uint64_t released) {
  Object::Ptr object = make_object();
  object->set("released", released);
  return stringify(*object);
}

Result<uint64_t> released_from_json(std::string_view json) {
  return parse_as<uint64_t>(
      json, [](const Object& object) { return number_of<uint64_t>(object, "released"); });
}

std::string token_to_json(std::string_view token) { return single_member("token", token); }

Result<std::string> token_from_json(std::string_view json) {
  return parse_as<std::string>(json, [](const Object& object) { return text_of(object, "token"); });
}

std::string clock_request_to_json(bool is_back) {
  Object::Ptr object = make_object();
  object->set("back", is_back);
  return stringify(*object);
}

Result<bool> clock_request_from_json(std::string_view json) {
  return parse_as<bool>(json, [](const Object& object) {
    expect_members(object, {"back"});
    return flag_of(object, "back");
  });
}

std::string clock_event_to_json(const ClockEvent& event) {
  Object::Ptr object = make_object();
  object->set("clock_at", to_iso8601(event.clock_at));
  object->set("trusted_at", to_iso8601(event.trusted_at));
  return stringify(*object);
}

Result<ClockEvent> clock_event_from_json(std::string_view json) {
  return parse_as<ClockEvent>(json, [](const Object& object) {
    return ClockEvent{.kind = ClockEventKind::Confirmed,
                      .clock_at = time_of(object, "clock_at"),
                      .trusted_at = time_of(object, "trusted_at")};
  });
}

std::string error_to_json(const Error& error) {
  Object::Ptr object = make_object();
  object->set("error", error_object(error));
  return stringify(*object);
}

Result<Error> error_from_json(std::string_view json) {
  return parse_as<Error>(
      json, [](const Object& object) { return read_error(*object_of(object, "error")); });
}

}  // namespace linesign
