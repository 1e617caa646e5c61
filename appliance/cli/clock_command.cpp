// linesign clock: an operator confirms the appliance's clock.
#include <iostream>

#include <fmt/format.h>

#include "appliance/admin/api/admin_json.h"
#include "appliance/cli/invocation.h"

namespace linesign {
namespace {

struct ConfirmClockOptions {
  bool is_back = false;
  bool json = false;
};

Result<int> confirm_clock(const Invocation& invocation, const ConfirmClockOptions& options) {
  LS_TRY(const AdminClient client, open_admin_client(invocation));
  LS_TRY(const ClockEvent confirmed, client.confirm_clock(options.is_back));
  if (options.json) {
    std::cout << clock_event_to_json(confirmed) << '\n';
  } else {
    std::cout << fmt::format("The clock is confirmed: {}. The ledger has recorded it.\n",
                             to_iso8601(confirmed.clock_at));
  }
  return 0;
}

}  // namespace

void add_clock_command(CLI::App& app, Invocation& invocation) {
  CLI::App* clock = app.add_subcommand("clock", "Confirm the system clock of the appliance");
  clock->require_subcommand(1);
  CLI::App* confirm = clock->add_subcommand(
      "confirm", "The system clock is right, although linesignd doubts it (`linesign status`)");
  const auto options = add_run<ConfirmClockOptions>(confirm, invocation, confirm_clock);
  confirm->add_flag("--back",
                    options->is_back,
                    "And the newest time in the ledger is wrong: the clock was ahead");
  confirm->add_flag("--json", options->json, "Print JSON");
}

}  // namespace linesign
