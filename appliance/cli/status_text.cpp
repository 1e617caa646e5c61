#include "appliance/cli/status_text.h"

#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "appliance/admin/api/admin_json.h"
#include "appliance/cli/advice.h"
#include "protocol/base/expiry.h"

namespace linesign {
namespace {

using std::chrono::seconds;

std::string line(std::string_view name, std::string_view value) {
  return fmt::format("{:<12}{}\n", name, value);
}

std::string head_line(const ApplianceStatus& status, UnixTime now) {
  const std::string since =
      fmt::format("{} ({})", to_iso8601(status.since), elapsed_text(now - status.since));
  if (status.producing) return fmt::format("producing since {}\n", since);
  const std::string_view reason = status.obstacles.empty()
                                      ? "no reason was given"
                                      : error_info(status.obstacles.front().error.code()).sentence;
  return fmt::format("NOT producing since {}: {}\n", since, reason);
}

std::string obstacle_lines(const Obstacle& obstacle, UnixTime now) {
  const ErrorCode code = obstacle.error.code();
  return fmt::format("  {} {}, for {}\n      {}\n      what to do: {}\n",
                     static_cast<int>(code),
                     error_info(code).name,
                     elapsed_text(now - obstacle.since),
                     obstacle.error.detail().empty() ? error_info(code).sentence
                                                     : std::string_view(obstacle.error.detail()),
                     advice_for(code));
}

// Empty while there is nothing unusual.
std::string connections_value(const ConnectionFigures& figures) {
  const std::array<std::pair<uint64_t, std::string_view>, 7> counts = {{
      {figures.stations_at_limit, "stations with as many sessions as allowed"},
      {figures.session_limit, "sessions refused (too many of one station)"},
      {figures.sessions_full, "sessions refused (too many in all)"},
      {figures.replaced_sessions, "silent sessions replaced"},
      {figures.dropped_stalled, "sessions closed because their station did not read"},
      {figures.dropped_handshakes, "handshakes dropped in a flood of connections"},
      {figures.out_of_descriptors, "pauses because all descriptors were in use"},
  }};
  std::vector<std::string> parts;
  for (const auto& [count, what] : counts) {
    if (count > 0) parts.push_back(fmt::format("{} {}", count_text(count), what));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string signers_value(const std::vector<SignerStatus>& signers) {
  if (signers.empty()) return "none";
  std::map<std::string, int> states;
  uint64_t signatures = 0;
  uint64_t restarts = 0;
  uint64_t wrong = 0;
  for (const SignerStatus& signer : signers) {
    ++states[signer.state];
    signatures += signer.signatures;
    restarts += signer.restarts;
    wrong += signer.wrong_signatures;
  }
  std::vector<std::string> parts;
  parts.reserve(states.size());
  for (const auto& [state, count] : states) parts.push_back(fmt::format("{} {}", count, state));
  return fmt::format("{}; {} signatures, {} wrong, {} restarts",
                     fmt::join(parts, ", "),
                     count_text(signatures),
                     count_text(wrong),
                     count_text(restarts));
}

std::string quarantine_lines(const std::vector<SignerStatus>& signers) {
  std::string text;
  for (size_t i = 0; i < signers.size(); ++i) {
    if (!signers[i].quarantined_since.has_value()) continue;
    text += line("",
                 fmt::format("signer {} is quarantined since {}: two wrong signatures within an "
                             "hour, {} in all; `linesign hsm trust` ends it",
                             i,
                             to_iso8601(*signers[i].quarantined_since),
                             count_text(signers[i].wrong_signatures)));
  }
  return text;
}

std::string token_value(const ApplianceStatus& status) {
  if (status.pin_warning.empty()) return status.token;
  return fmt::format("{}; before the login: {}", status.token, status.pin_warning);
}

std::string ledger_value(const LedgerSummary& ledger) {
  std::string value = fmt::format("{} certificates, {} open intents, {} void",
                                  count_text(ledger.certificates),
                                  count_text(ledger.intents),
                                  count_text(ledger.voids));
  if (ledger.newest_at.has_value())
    value += fmt::format("; newest {}", to_iso8601(*ledger.newest_at));
  return value;
}

std::string cloud_value(const CloudBacklog& backlog, UnixTime now) {
  std::string value =
      fmt::format("{} waiting, {} parked", count_text(backlog.waiting), count_text(backlog.parked));
  if (backlog.oldest_waiting_at.has_value())
    value += fmt::format(", oldest {}", elapsed_text(now - *backlog.oldest_waiting_at));
  return value;
}

std::string rates_value(const ApplianceStatus& status, UnixTime now) {
  const auto up = static_cast<double>(std::max<int64_t>(1, (now - status.started_at).count()));
  std::string value = fmt::format("{} issued ({:.1f}/s), {} refused, {} told to come again",
                                  count_text(status.issued),
                                  static_cast<double>(status.issued) / up,
                                  count_text(status.refused),
                                  count_text(status.busy));
  if (status.commits.transactions > 0) {
    value += fmt::format("; {:.1f} writes per commit",
                         static_cast<double>(status.commits.writes) /
                             static_cast<double>(status.commits.transactions));
  }
  return value;
}

constexpr size_t kNamesInLine = 5;

std::string throttled_value(const std::vector<std::string>& stations) {
  const auto named = std::span(stations).first(std::min(stations.size(), kNamesInLine));
  std::string value = fmt::format("{}", fmt::join(named, ", "));
  if (named.size() < stations.size())
    value += fmt::format(" and {} more", stations.size() - named.size());
  return value + ": too many of their CSRs fail their checks";
}

std::string when(const std::optional<UnixTime>& time) {
  return time.has_value() ? to_iso8601(*time) : "-";
}

// What a person wants to know about a station of this state.
std::string station_note(const StationListEntry& entry, UnixTime now) {
  const StationRecord& station = entry.record;
  switch (station.state) {
    case StationState::Invited:
      return "token good until " + when(station.token_expires_at);
    case StationState::Active:
      return "enrolled " + when(station.enrolled_at) +
             (entry.certificate_not_after.has_value()
                  ? "; certificate " + expiry_text(*entry.certificate_not_after, now)
                  : "");
    case StationState::Revoked:
      return "revoked " + when(station.revoked_at);
  }
  return "";
}

}  // namespace

std::string elapsed_text(seconds elapsed) {
  const int64_t all = std::max<int64_t>(0, elapsed.count());
  const int64_t minutes = all / 60;
  const int64_t hours = minutes / 60;
  const int64_t days = hours / 24;
  if (days > 0) return fmt::format("{} d {} h", days, hours % 24);
  if (hours > 0) return fmt::format("{} h {} min", hours, minutes % 60);
  if (minutes > 0) return fmt::format("{} min", minutes);
  return fmt::format("{} s", all);
}

std::string count_text(uint64_t count) {
  std::string text = std::to_string(count);
  for (size_t end = text.size(); end > 3; end -= 3) text.insert(end - 3, ",");
  return text;
}

std::string status_text(const ApplianceStatus& status, UnixTime now) {
  std::string text = head_line(status, now);
  for (const Obstacle& obstacle : status.obstacles) text += obstacle_lines(obstacle, now);
  text += line("version",
               fmt::format("{}, started {} ({})",
                           status.version,
                           to_iso8601(status.started_at),
                           elapsed_text(now - status.started_at)));
  text +=
      line("CA", fmt::format("{}, {}", status.ca_subject, expiry_text(status.ca_not_after, now)));
  for (const ExpiryWarning& warning : expiry_warnings(status.expiry, now))
    text += line("warning", warning.sentence);
  text += line("token", token_value(status));
  text += line("stations",
               fmt::format("{} connected on port {}; {} requests under way",
                           count_text(status.sessions),
                           status.station_port,
                           count_text(status.in_flight)));
  const std::string connections = connections_value(status.connections);
  if (!connections.empty()) text += line("connections", connections);
  if (!status.throttled.empty()) text += line("throttled", throttled_value(status.throttled));
  text += line("signers", signers_value(status.signers));
  for (const std::string& each : status.missing_protections) text += line("note", each);
  text += quarantine_lines(status.signers);
  text += line("ledger", ledger_value(status.ledger));
  if (status.cloud.has_value()) text += line("cloud", cloud_value(*status.cloud, now));
  text += line("since start", rates_value(status, now));
  return text;
}

std::string stations_text(const std::vector<StationListEntry>& stations, UnixTime now) {
  if (stations.empty()) return "no stations; `linesign station add NAME` invites one\n";
  size_t width = 7;
  for (const StationListEntry& entry : stations) width = std::max(width, entry.record.name.size());
  std::string text = fmt::format(
      "{:<{}}  {:<8}  {:>8}  {:>7}\n", "STATION", width, "STATE", "SESSIONS", "REFUSED");
  for (const StationListEntry& entry : stations) {
    text += fmt::format("{:<{}}  {:<8}  {:>8}  {:>7}  {}{}\n",
                        entry.record.name,
                        width,
                        to_string(entry.record.state),
                        entry.sessions,
                        count_text(entry.refused),
                        station_note(entry, now),
                        entry.throttled_seconds == 0
                            ? ""
                            : fmt::format("; throttled for {} s", entry.throttled_seconds));
  }
  return text;
}

}  // namespace linesign
