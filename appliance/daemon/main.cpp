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
#include "protocol/base/version.h"
#include "protocol/log/log.h"
#include "protocol/usage/usage_text.h"

namespace {

constexpr int kExitOk = 0;

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

int serve(const std::string& file, bool check_only) {
  auto config = check_only ? linesign::check_config(file) : linesign::load_config(file);
  if (!config) return stop(config.error());
  if (check_only) {
    std::cout << file << ": ok\n";
    return kExitOk;
  }
  spdlog::set_level(spdlog::level::from_str(config->daemon.log_level));
  auto daemon = linesign::Daemon::open(std::move(*config), signer_program());
  if (!daemon) return stop(daemon.error());
  (*daemon)->run();
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
  app.set_version_flag("--version", std::string(linesign::kSoftware));
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    return app.exit(help_or_version);
  } catch (const CLI::ParseError& error) {
    const linesign::Log log({});
    return stop(linesign::Error(linesign::ErrorCode::Usage, linesign::usage_text(app, error)));
  }
  const linesign::Log log({});
  return serve(file, check_only);
}
