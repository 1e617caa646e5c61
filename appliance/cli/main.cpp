// linesign: the operator's command line: key ceremony, stations, AWS, status, measurements.
#include <csignal>
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>

#include "appliance/cli/invocation.h"
#include "protocol/base/core_dumps.h"
#include "protocol/base/version.h"
#include "protocol/usage/standard_output.h"
#include "protocol/usage/usage_text.h"

namespace {

// One line: what went wrong in words, how it is called, and what is known beyond that.
int report(const linesign::Error& error) {
  std::cerr << linesign::error_line("linesign", error) << '\n';
  return error.exit_code();
}

// A daemon that goes away in the middle of a request is an error, not our end.
void ignore_broken_pipes() {
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, nullptr);
}

// What is in the way may be replaced by some commands.
linesign::Error with_advice(const linesign::Error& error, const CLI::App& command) {
  if (error.code() != linesign::ErrorCode::FileExists ||
      command.get_option_no_throw("--force") == nullptr)
    return error;
  return linesign::Error(error.code(), error.detail() + "; --force replaces it");
}

int run(const linesign::Invocation& invocation, const CLI::App& command) {
  const linesign::Result<int> exit_code = invocation.run();
  if (!exit_code.has_value()) return report(with_advice(exit_code.error(), command));
  if (const auto printed = linesign::finish_standard_output(); !printed.has_value())
    return report(printed.error());
  return *exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  // The ceremony holds a PIN in memory.
  if (const auto done = linesign::forbid_core_dumps(); !done.has_value())
    return report(done.error());
  ignore_broken_pipes();

  linesign::Invocation invocation;
  CLI::App app("linesign: certificates for production lines, signed by a key in an HSM.",
               "linesign");
  app.fallthrough();
  app.require_subcommand(1);
  app.add_option("--config", invocation.config, "Configuration file of the appliance")
      ->capture_default_str()
      ->type_name("FILE");
  app.set_version_flag("--version", std::string(linesign::kSoftware));
  linesign::add_ca_command(app, invocation);
  linesign::add_station_command(app, invocation);
  linesign::add_aws_command(app, invocation);
  linesign::add_manifest_command(app, invocation);
  linesign::add_status_command(app, invocation);
  linesign::add_clock_command(app, invocation);
  linesign::add_doctor_command(app, invocation);
  linesign::add_hsm_command(app, invocation);
  linesign::add_bench_command(app, invocation);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    return app.exit(help_or_version);
  } catch (const CLI::ParseError& error) {
    return report(linesign::Error(linesign::ErrorCode::Usage, linesign::usage_text(app, error)));
  }
  return run(invocation, linesign::chosen_command(app));
}
