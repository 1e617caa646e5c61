// linesign status: does the appliance produce, since when, and if not, why not.
#include <chrono>
#include <iostream>
#include <thread>

#include "appliance/admin/api/admin_json.h"
#include "appliance/cli/invocation.h"
#include "appliance/cli/status_text.h"

namespace linesign {
namespace {

constexpr int kExitNotProducing = 69;
constexpr int kDefaultWaitSeconds = 60;
constexpr std::chrono::milliseconds kPollEvery(100);

struct StatusOptions {
  bool json = false;
  int wait_seconds = 0;  // stays 0 when --wait comes without a number
  const CLI::Option* wait = nullptr;
};

// Asks until the appliance produces or the time is up. The other side is another process that may
// not even run yet, so there is nothing to wait on but the clock.
Result<ApplianceStatus> wait_until_producing(const AdminClient& client, std::chrono::seconds wait) {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  for (;;) {
    auto status = client.status();
    const bool is_final = status.has_value() ? status->producing
                                             : status.error().code() != ErrorCode::AdminUnavailable;
    if (is_final || std::chrono::steady_clock::now() >= deadline) return status;
    std::this_thread::sleep_for(kPollEvery);
  }
}

Result<int> show_status(const Invocation& invocation, const StatusOptions& options) {
  LS_TRY(const AdminClient client, open_admin_client(invocation));
  const int seconds = options.wait_seconds > 0 ? options.wait_seconds : kDefaultWaitSeconds;
  const std::chrono::seconds wait(options.wait->count() > 0 ? seconds : 0);
  LS_TRY(const ApplianceStatus status, wait_until_producing(client, wait));
  if (options.json) {
    std::cout << status_to_json(status) << '\n';
  } else {
    std::cout << status_text(status, SystemClock().now());
  }
  return status.producing ? 0 : kExitNotProducing;
}

}  // namespace

void add_status_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand(
      "status", "Does the appliance produce, and if not, why not? Exit code 0 if it does, else 69");
  const auto options = add_run<StatusOptions>(command, invocation, show_status);
  command->add_flag("--json", options->json, "Print JSON");
  options->wait = command
                      ->add_option("--wait",
                                   options->wait_seconds,
                                   "Wait until it produces, at most so many seconds (default 60)")
                      ->expected(0, 1)
                      ->check(CLI::Range(0, 86400))
                      ->type_name("SECONDS");
}

}  // namespace linesign
