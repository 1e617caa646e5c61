#include "appliance/daemon/operator_desk.h"

#include <utility>

#include <openssl/rand.h>
#include <spdlog/spdlog.h>

#include "appliance/daemon/rights.h"
#include "hsm/x509/csr.h"
#include "protocol/base/version.h"
#include "protocol/wire/join_token.h"

namespace linesign {
namespace {

// Nothing is signed that the ledger does not have: while it is silent nothing is produced.
void add_silence(ApplianceStatus& status, UnixTime since) {
  if (status.producing) status.since = since;
  status.producing = false;
  const Error error(ErrorCode::LedgerUnavailable,
                    "it does not answer; the counts of the ledger are the last that are known");
  // Health may have found the same out.
  if (!status.obstacles.empty() && status.obstacles.front().error.code() == error.code()) {
    status.obstacles.front().error = error;
  } else {
    status.obstacles.insert(status.obstacles.begin(), {error, since});
  }
}

}  // namespace

OperatorDesk::OperatorDesk(Parts parts, Settings settings)
    : parts_(parts),
      settings_(std::move(settings)),
      cloud_(parts.clock, parts.ledger, parts.device_ids),
      ledger_look_(parts.loop, parts.clock, parts.ledger),
      started_at_(parts.clock.now()) {}

void OperatorDesk::status(std::function<void(Result<ApplianceStatus>)> reply) {
  // The ledger's thread counts; while the ledger is lost the rest must still be told.
  ledger_look_.look([this, reply = std::move(reply)](const LedgerView& view) {
    ApplianceStatus status = status_without_ledger();
    status.ledger = view.summary;
    status.cloud = view.backlog;
    if (view.silent_since) add_silence(status, *view.silent_since);
    reply(std::move(status));
  });
}

ConnectionFigures OperatorDesk::connection_figures() const {
  const ListenerCounters counters = parts_.listener.counters();
  return {.max_sessions = counters.max_sessions,
          .handshakes = counters.pending,
          .stations_at_limit = counters.stations_at_limit,
          .failed_handshakes = counters.refused_handshakes,
          .dropped_handshakes = counters.dropped_handshakes,
          .session_limit = counters.session_limit,
          .sessions_full = counters.sessions_full,
          .replaced_sessions = counters.replaced_sessions,
          .dropped_stalled = counters.dropped_stalled,
          .out_of_descriptors = counters.out_of_descriptors};
}

ApplianceStatus OperatorDesk::status_without_ledger() const {
  ApplianceStatus status;
  status.version = kVersion;
  status.started_at = started_at_;
  status.producing = parts_.health.is_producing();
  status.since = parts_.health.since();
  for (const HealthObstacle& each : parts_.health.obstacles())
    status.obstacles.push_back({each.error, each.since});
  status.ca_subject = parts_.ca.subject_text();
  status.ca_not_after = parts_.ca.not_after();
  status.expiry = parts_.expiry.figures();
  status.token = parts_.signers.token();
  status.pin_warning = parts_.signers.pin_warning();
  status.station_port = parts_.listener.port();
  const ListenerCounters counters = parts_.listener.counters();
  status.sessions = counters.sessions;
  status.connections = connection_figures();
  status.in_flight = parts_.issuance.in_flight();
  status.commits = parts_.ledger.counters();
  status.issued = parts_.issuance.counters().issued;
  status.refused = parts_.issuance.counters().refused;
  status.busy = parts_.issuance.counters().busy + counters.busy;
  status.throttled = parts_.issuance.conduct().throttled();
  for (const SignerInfo& each : parts_.signers.signers())
    status.signers.push_back({each.pid,
                              each.state,
                              each.restarts,
                              each.signatures,
                              each.wrong_signatures,
                              each.quarantined_since});
  status.missing_protections = parts_.signers.missing_protections();
  for (std::string& each : missing_daemon_protections())
    status.missing_protections.push_back(std::move(each));
  return status;
}

void OperatorDesk::add_station(std::string name, std::function<void(Result<std::string>)> reply) {
  if (auto checked = check_station_name(name); !checked) {
    reply(fail(checked.error()));
    return;
  }
  Bytes secret(kJoinSecretBytes);
  if (RAND_bytes(secret.data(), static_cast<int>(secret.size())) != 1) {
    reply(fail(ErrorCode::CryptoFailed, "no random bytes"));
    return;
  }
  const UnixTime now = parts_.clock.now();
  const Sha256 secret_hash = sha256(secret);
  auto token = std::make_shared<JoinToken>();
  token->expires_at = now + settings_.token_lifetime;
  token->ca_fingerprint = parts_.station_ca.fingerprint();
  token->secret = SecretBytes(std::move(secret));
  token->address = settings_.advertise;
  parts_.ledger.write<StationRecord>(
      [name = std::move(name), secret_hash, now, expires_at = token->expires_at](Ledger& ledger) {
        return ledger.add_station(name, secret_hash, now, expires_at);
      },
      [token, reply = std::move(reply)](const Result<StationRecord>& added) {
        if (!added) {
          reply(fail(added.error()));
          return;
        }
        spdlog::info("station invited station={}", added->name);
        reply(encode_join_token(*token));
      });
}

void OperatorDesk::list_stations(std::function<void(Result<std::vector<StationListEntry>>)> reply) {
  parts_.ledger.write<std::vector<StationRecord>>(
      [](Ledger& ledger) { return ledger.stations(); },
      [this, reply = std::move(reply)](Result<std::vector<StationRecord>> records) {
        if (!records) {
          reply(fail(records.error()));
          return;
        }
        std::vector<StationListEntry> entries;
        entries.reserve(records->size());
        for (StationRecord& record : *records) {
          StationListEntry entry;
          entry.sessions = parts_.listener.sessions_of(record.id);
          entry.refused = parts_.issuance.conduct().refused_of(record.id);
          if (const auto wait = parts_.issuance.conduct().wait_of(record.id))
            entry.throttled_seconds =
                static_cast<uint32_t>(std::chrono::ceil<std::chrono::seconds>(*wait).count());
          if (record.certificate_hash)
            entry.certificate_not_after = parts_.registry.not_after(*record.certificate_hash);
          entry.record = std::move(record);
          entries.push_back(std::move(entry));
        }
        reply(std::move(entries));
      });
}

void OperatorDesk::revoke_station(std::string name,
                                  std::function<void(Result<StationRecord>)> reply) {
  parts_.ledger.write<StationRecord>(
      [name = std::move(name), now = parts_.clock.now()](Ledger& ledger) {
        return ledger.revoke_station(name, now);
      },
      [this, reply = std::move(reply)](Result<StationRecord> revoked) {
        if (revoked) {
          spdlog::warn("station revoked station={}", revoked->name);
          parts_.registry.update(*revoked);
          parts_.listener.close_station(revoked->id, Error(ErrorCode::StationRevoked));
        }
        reply(std::move(revoked));
      });
}

void OperatorDesk::confirm_clock(bool is_back, std::function<void(Result<ClockEvent>)> reply) {
  parts_.clock_guard.confirm(is_back,
                             [is_back, reply = std::move(reply)](Result<ClockEvent> confirmed) {
                               if (confirmed.has_value())
                                 spdlog::warn("clock confirmed by an operator clock={} back={}",
                                              to_iso8601(confirmed->clock_at),
                                              is_back);
                               reply(std::move(confirmed));
                             });
}

void OperatorDesk::trust_hsm(std::function<void(Result<uint64_t>)> reply) {
  const auto released = parts_.signers.trust();
  if (!released) {
    reply(fail(released.error()));
    return;
  }
  spdlog::warn("HSM trusted again by an operator released_signers={}", *released);
  reply(*released);
}

}  // namespace linesign
