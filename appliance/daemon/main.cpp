// linesignd: the appliance's daemon. Reads its configuration, joins the parts, serves until
// SIGTERM.
#include <filesystem>
#include <iostream>
#include <string>
#include <system_error>

#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>

#include "appliance/config/config.h"
#include "appliance/daemon/daemon.h"
#include "appliance/daemon/descriptor_limit.h"
#include "appliance/daemon/rights.h"
#include "appliance/ledger/ledger.h"
#include "appliance/startup/start_check.h"
#include "protocol/base/clock.h"
#include "protocol/base/version.h"
#include "protocol/log/log.h"
#include "protocol/usage/usage_text.h"

namespace {

constexpr int kExitOk = 0;
constexpr int kExitConfig = 78;

int stop(const linesign::Error& error) {
  spdlog::error("linesignd cannot run error={}", error.to_string());
  return error.exit_code();
}

// The signer of the same build stands beside this program.
std::filesystem::path signer_program() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return self.parent_path() / "linesign-signer";
}

// Says everything that is to be said, not only the first.
int check(const std::string& file) {
  const auto descriptors = linesign::raise_descriptor_limit();
  const auto config = linesign::load_config(file);
  // What linesignd may read and write is to be told, not what root may.
  const auto ready = config ? linesign::become_daemon_user(*config) : linesign::Result<void>();
  const linesign::Log log({});
  if (!config) return stop(config.error());
  if (!ready) return stop(ready.error());
  auto findings = linesign::check_start(*config, linesign::SystemClock().now());
  const auto plan = linesign::plan_descriptors(descriptors, *config);
  if (!plan)
    findings.push_back({linesign::StartGravity::Fatal, plan.error()});
  else if (plan->warning)
    findings.push_back({linesign::StartGravity::Warning,
                        linesign::Error(linesign::ErrorCode::DescriptorLimit, *plan->warning)});
  if (const auto files = linesign::check_config(file); !files.has_value())
    findings.push_back({linesign::StartGravity::Obstacle, files.error()});
  bool is_good = true;
  for (const linesign::StartFinding& finding : findings) {
    const bool is_warning = finding.gravity == linesign::StartGravity::Warning;
    is_good = is_good && is_warning;
    std::cout << file << ": "
              << (is_warning ? "warning: " + finding.error.detail()
                             : "error: " + finding.error.to_string())
              << '\n';
  }
  if (is_good) std::cout << file << ": ok\n";
  return is_good ? kExitOk : kExitConfig;
}

// What `status` tells later does not keep it from starting.
int check_before_start(const linesign::Config& config) {
  int exit_code = kExitOk;
  for (const auto& finding : linesign::check_start(config, linesign::SystemClock().now())) {
    if (finding.gravity != linesign::StartGravity::Fatal) continue;
    const int its_code = stop(finding.error);
    if (exit_code == kExitOk) exit_code = its_code;
  }
  return exit_code;
}

int serve(const std::string& file) {
  auto config = linesign::load_config(file);
  // Before the log, which has a thread, and rights belong to threads.
  linesign::SignerStart signers{.program = signer_program(), .launcher = {}};
  linesign::Result<void> ready;
  if (config) {
    auto launcher = linesign::give_up_rights(*config, signers.program);
    if (!launcher) ready = linesign::fail(launcher.error());
    if (launcher) signers.launcher = std::move(*launcher);
  }
  const linesign::Log log({});
  if (!config) return stop(config.error());
  if (!ready) return stop(ready.error());
  if (const int exit_code = check_before_start(*config); exit_code != kExitOk) return exit_code;
  spdlog::set_level(spdlog::level::from_str(config->daemon.log_level));
  auto daemon = linesign::Daemon::open(std::move(*config), std::move(signers));
  if (!daemon) return stop(daemon.error());
  if (const auto done = (*daemon)->run(); !done) return stop(done.error());
  return kExitOk;
}

// What an operator decides about the ledger, instead of starting the daemon: left in a unit by
// mistake it starts nothing, so it cannot weaken later starts.
struct LedgerDecision {
  bool is_new = false;
  bool is_restored = false;
};

int accept_ledger(const std::string& file, const LedgerDecision& decision) {
  auto config = linesign::load_config(file);
  // What it writes belongs to linesignd.
  const auto ready = config ? linesign::become_daemon_user(*config) : linesign::Result<void>();
  const linesign::Log log({});
  if (!config) return stop(config.error());
  if (!ready) return stop(ready.error());
  const auto refused =
      decision.is_new ? linesign::ErrorCode::LedgerUnknown : linesign::ErrorCode::LedgerOlder;
  const auto said =
      linesign::Ledger::accept(config->ledger, refused, linesign::SystemClock().now());
  if (!said) return stop(said.error());
  std::cout << *said << "\n";
  return kExitOk;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("The linesign appliance: signs device certificates for production lines.",
               "linesignd");
  std::string file = "/etc/linesign/linesign.toml";
  bool check_only = false;
  app.add_option("--config", file, "Configuration file")->capture_default_str();
  app.add_flag("--check-config", check_only, "Check the configuration and exit");
  LedgerDecision decision;
  auto* const is_new = app.add_flag("--new-ledger",
                                    decision.is_new,
                                    "Accept the ledger in [ledger] directory, empty or another "
                                    "one, as this appliance's, and exit");
  auto* const is_restored =
      app.add_flag("--restored-ledger",
                   decision.is_restored,
                   "Accept the ledger in [ledger] directory although it is older than recorded, as "
                   "after the restore of a backup, and exit");
  is_restored->excludes(is_new);
  app.set_version_flag("--version", std::string(linesign::kSoftware));
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    return app.exit(help_or_version);
  } catch (const CLI::ParseError& error) {
    const linesign::Log log({});
    return stop(linesign::Error(linesign::ErrorCode::Usage, linesign::usage_text(app, error)));
  }
  if (decision.is_new || decision.is_restored) return accept_ledger(file, decision);
  return check_only ? check(file) : serve(file);
}
