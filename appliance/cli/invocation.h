// Invocation: what the command line asked for: filled in by CLI11, run by main().
//
// Errors   reported by main(), on stderr and as the exit code
// Threads  one
#ifndef LINESIGN_APPLIANCE_CLI_INVOCATION_H_
#define LINESIGN_APPLIANCE_CLI_INVOCATION_H_

#include <filesystem>
#include <functional>
#include <memory>

#include <CLI/CLI.hpp>

#include "appliance/admin/client/admin_client.h"
#include "protocol/base/result.h"

namespace linesign {

struct Invocation {
  std::filesystem::path config = "/etc/linesign/linesign.toml";
  std::function<Result<int>()> run;  // the exit code, or the error that decides it
};

// Each adds its subcommand to `app`; the one that is chosen sets `invocation.run`. `invocation`
// must outlive both.
void add_aws_command(CLI::App& app, Invocation& invocation);
void add_aws_ledger_commands(CLI::App& aws, Invocation& invocation);  // below `linesign aws`
void add_bench_command(CLI::App& app, Invocation& invocation);
void add_ca_command(CLI::App& app, Invocation& invocation);
void add_clock_command(CLI::App& app, Invocation& invocation);
void add_doctor_command(CLI::App& app, Invocation& invocation);
void add_hsm_command(CLI::App& app, Invocation& invocation);
void add_manifest_command(CLI::App& app, Invocation& invocation);
void add_station_command(CLI::App& app, Invocation& invocation);
void add_status_command(CLI::App& app, Invocation& invocation);

// A client of the admin socket that the configuration names.
Result<AdminClient> open_admin_client(const Invocation& invocation);

// Adds a subcommand that runs `run(options)`; the options live as long as the command.
template <typename Options>
std::shared_ptr<Options> add_run(CLI::App* command,
                                 Invocation& invocation,
                                 Result<int> (*run)(const Invocation&, const Options&)) {
  auto options = std::make_shared<Options>();
  command->callback([&invocation, options, run] {
    invocation.run = [&invocation, options, run] { return run(invocation, *options); };
  });
  return options;
}

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLI_INVOCATION_H_
