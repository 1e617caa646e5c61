// linesign station: invite, list and revoke stations.
#include <iostream>
#include <string>

#include <fmt/format.h>

#include "appliance/admin/api/admin_json.h"
#include "appliance/cli/invocation.h"
#include "appliance/cli/status_text.h"
#include "protocol/wire/join_token.h"

namespace linesign {
namespace {

struct NameOptions {
  std::string name;
};

struct ListOptions {
  bool json = false;
};

// Only the token goes to stdout, so that a script can take it as it is.
Result<int> add_station(const Invocation& invocation, const NameOptions& options) {
  LS_TRY(const AdminClient client, open_admin_client(invocation));
  LS_TRY(const std::string token, client.add_station(options.name));
  std::cout << token << std::endl;
  const auto decoded = decode_join_token(token);
  if (decoded.has_value()) {
    std::cerr << fmt::format(
        "This token lets one station enrol as {}, once, until {}, at {}.\n"
        "Put it into a file on the station, and there: linesign-station enroll --token-file FILE "
        "--dir DIR\n",
        options.name,
        to_iso8601(decoded->expires_at),
        decoded->address);
  }
  return 0;
}

Result<int> list_stations(const Invocation& invocation, const ListOptions& options) {
  LS_TRY(const AdminClient client, open_admin_client(invocation));
  LS_TRY(const std::vector<StationListEntry> stations, client.stations());
  if (options.json) {
    std::cout << stations_to_json(stations) << '\n';
  } else {
    std::cout << stations_text(stations, SystemClock().now());
  }
  return 0;
}

Result<int> revoke_station(const Invocation& invocation, const NameOptions& options) {
  LS_TRY(const AdminClient client, open_admin_client(invocation));
  LS_TRY(const StationRecord station, client.revoke_station(options.name));
  std::cout << fmt::format("{} is revoked; its connections are cut.\n", station.name);
  return 0;
}

}  // namespace

void add_station_command(CLI::App& app, Invocation& invocation) {
  CLI::App* station = app.add_subcommand("station", "Invite, list and revoke stations");
  station->require_subcommand(1);

  CLI::App* add = station->add_subcommand("add", "Invite a station; prints its join token");
  const auto add_options = add_run<NameOptions>(add, invocation, add_station);
  add->add_option("NAME", add_options->name, "1 to 64 of A-Z a-z 0-9 . _ -")->required();

  CLI::App* list = station->add_subcommand("list", "List all stations");
  const auto list_options = add_run<ListOptions>(list, invocation, list_stations);
  list->add_flag("--json", list_options->json, "Print JSON");

  CLI::App* revoke = station->add_subcommand("revoke", "Revoke a station and cut its connections");
  const auto revoke_options = add_run<NameOptions>(revoke, invocation, revoke_station);
  revoke->add_option("NAME", revoke_options->name, "The station")->required();
}

}  // namespace linesign
