// linesign-uploader: makes the appliance's certificates known to AWS. Without a subcommand it works
// until SIGTERM; the subcommands are what `linesign aws` starts.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>

#include "appliance/cloud/uploader/uploader.h"
#include "protocol/base/bytes.h"
#include "protocol/base/core_dumps.h"
#include "protocol/base/version.h"
#include "protocol/log/log.h"
#include "protocol/usage/confirmation.h"
#include "protocol/usage/standard_output.h"
#include "protocol/usage/usage_text.h"

namespace {

using What = linesign::UploaderCommand::What;

constexpr std::streamsize kMaxProofBytes = 64 * 1024;

struct Arguments {
  std::string config = "/etc/linesign/linesign.toml";
  linesign::UploaderCommand command;
  bool reads_proof = false;
  bool check_only = false;
  std::string serial;  // hex
};

// What the service says of its work: parked devices at once, because somebody must look; what is
// registered once a minute, where it has become more.
class WorkLog final {
 public:
  void take(const std::vector<linesign::TargetReport>& reports) {
    const auto now = std::chrono::steady_clock::now();
    const bool is_time = now >= next_line_;
    if (is_time) next_line_ = now + kLineEvery;
    for (const linesign::TargetReport& each : reports) {
      linesign::TargetProgress& said = said_[each.target];
      const linesign::TargetProgress& is = each.progress;
      if (is.parked > said.parked)
        spdlog::warn("devices parked target={} parked={}", each.target, is.parked - said.parked);
      said.parked = is.parked;
      const bool has_ended = is.state == linesign::TargetProgress::State::Ended;
      if (is.registered == said.registered || !(is_time || has_ended)) continue;
      spdlog::info("registered target={} devices={}", each.target, is.registered - said.registered);
      said.registered = is.registered;
    }
  }

 private:
  static constexpr std::chrono::minutes kLineEvery{1};
  std::map<std::string, linesign::TargetProgress> said_;
  std::chrono::steady_clock::time_point next_line_{};
};

// Programs of the same build stand beside each other.
std::filesystem::path neighbour(const char* name) {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / name;
}

CLI::App* add(CLI::App& app, Arguments& arguments, What what, const char* name, const char* text) {
  CLI::App* command = app.add_subcommand(name, text);
  command->callback([&arguments, what] { arguments.command.what = what; });
  command->add_option("--target", arguments.command.targets, "Only this target; may be repeated")
      ->type_name("NAME");
  return command;
}

void add_ca(CLI::App* command, Arguments& arguments) {
  command
      ->add_option("--ca",
                   arguments.command.ca,
                   "A former CA instead of the present one: its PEM file, or its certificate id")
      ->type_name("FILE|ID");
}

void add_revoke(CLI::App& app, Arguments& arguments) {
  CLI::App* revoke = add(app,
                         arguments,
                         What::Revoke,
                         "revoke",
                         "Set the certificates of a device INACTIVE or REVOKED in every account");
  linesign::RevocationWish& wish = arguments.command.revocation;
  CLI::Option* device = revoke->add_option("DEVICE", wish.device_id, "The device's id");
  revoke->add_option("--serial", arguments.serial, "Only the certificate with this serial number")
      ->excludes(device)
      ->type_name("HEX");
  revoke->add_option("--status", wish.status, "INACTIVE can be undone, REVOKED cannot")
      ->transform(CLI::CheckedTransformer(std::map<std::string, linesign::aws::CertificateStatus>{
          {"INACTIVE", linesign::aws::CertificateStatus::Inactive},
          {"REVOKED", linesign::aws::CertificateStatus::Revoked}}))
      ->type_name("INACTIVE|REVOKED");
  revoke->add_flag("--yes", arguments.command.is_sure, "Do not ask");
}

void add_commands(CLI::App& app, Arguments& arguments) {
  CLI::App* upload =
      add(app, arguments, What::Upload, "upload", "Register what waits, then end; shows progress");
  upload->add_flag(
      "--once", arguments.command.once, "End at the first obstacle instead of waiting for its end");
  add(app, arguments, What::Preflight, "preflight", "Would devices get through? Changes nothing");
  add(app,
      arguments,
      What::RegistrationCode,
      "registration-code",
      "The code that a verification certificate names, or \"registered\"")
      ->get_option("--target")
      ->required();
  CLI::App* ca = add(app, arguments, What::RegisterCa, "register-ca", "Register the CA");
  ca->add_flag("--proof", arguments.reads_proof, "Mode DEFAULT: the proof, PEM, on standard input");
  ca->add_flag("--change-mode",
               arguments.command.may_change_mode,
               "Delete a CA that is registered in the other mode, and register it again");
  add_ca(ca, arguments);
  CLI::App* deactivate =
      add(app, arguments, What::DeactivateCa, "deactivate-ca", "Set the CA INACTIVE");
  deactivate->get_option("--target")->required();
  add_ca(deactivate, arguments);
  CLI::App* remove =
      add(app, arguments, What::DeleteCa, "delete-ca", "Deactivate and delete the CA");
  remove->get_option("--target")->required();
  add_ca(remove, arguments);
  remove->add_flag("--force", arguments.command.force, "Though devices still to come need it");
  CLI::App* reconcile = add(app,
                            arguments,
                            What::Reconcile,
                            "reconcile",
                            "Compare the ledger with the account; exit code 65 if they differ");
  reconcile->add_flag("--deep", arguments.command.deep, "Compare things and policies too");
  reconcile->add_flag(
      "--repair", arguments.command.repair, "Register again what the account lacks");
  reconcile
      ->add_option("--device",
                   arguments.command.devices,
                   "Look closely at, or repair, this device only; may be repeated")
      ->type_name("ID");
  add_revoke(app, arguments);
}

int stop(const linesign::Error& error) {
  std::cerr << linesign::error_line("linesign-uploader", error) << '\n';
  return error.exit_code();
}

linesign::Result<std::string> read_proof() {
  std::string text(kMaxProofBytes + 1, '\0');
  std::cin.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(std::cin.gcount()));
  if (std::cin.gcount() > kMaxProofBytes)
    return linesign::fail(linesign::ErrorCode::InputInvalid, "the proof is too long");
  return text;
}

linesign::Result<linesign::SerialNumber> read_serial(const std::string& text) {
  const auto bytes = linesign::from_hex(text);
  linesign::SerialNumber serial{};
  if (!bytes || bytes->size() != serial.size())
    return linesign::fail(linesign::ErrorCode::Usage,
                          "--serial: a serial number has 32 hex digits");
  std::copy(bytes->begin(), bytes->end(), serial.begin());
  return serial;
}

int run(Arguments& arguments) {
  if (!arguments.serial.empty()) {
    const auto serial = read_serial(arguments.serial);
    if (!serial) return stop(serial.error());
    arguments.command.revocation.serial = *serial;
  }
  const auto config = arguments.check_only ? linesign::check_config(arguments.config)
                                           : linesign::load_config(arguments.config);
  if (!config) return stop(config.error());
  if (arguments.check_only) arguments.command.what = What::CheckConfig;
  const linesign::Log log({});
  spdlog::set_level(spdlog::level::from_str(config->daemon.log_level));
  if (arguments.reads_proof) {
    auto proof = read_proof();
    if (!proof) return stop(proof.error());
    arguments.command.proof = std::move(*proof);
  }
  linesign::UploaderSurroundings around;
  around.environment = linesign::aws::Environment::from_block(::environ);
  around.linesign = neighbour("linesign");
  around.confirm = [](const std::string& what) { return linesign::confirm(false, what); };
  around.out = &std::cout;
  around.errors = &std::cerr;
  around.log = [](const std::string& target, const std::optional<linesign::Error>& hold) {
    if (hold)
      spdlog::warn("target held up target={} error={}", target, hold->to_string());
    else
      spdlog::info("target goes on target={}", target);
  };
  around.on_note = [](const std::string& target, const std::string& note) {
    spdlog::info("target={} {}", target, note);
  };
  WorkLog work;
  around.on_report = [&work](const auto& reports) { work.take(reports); };
  const bool is_service = arguments.command.what == What::Serve;
  if (is_service) spdlog::info("linesign-uploader started version={}", linesign::kVersion);
  const auto exit_code = linesign::run_uploader(*config, around, arguments.command);
  if (!exit_code) return stop(exit_code.error());
  if (is_service) spdlog::info("linesign-uploader stopped");
  if (arguments.check_only && *exit_code == 0) std::cout << arguments.config << ": ok\n";
  if (const auto printed = linesign::finish_standard_output(); !printed.has_value())
    return stop(printed.error());
  return *exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  // Keys of AWS are in memory.
  if (const auto done = linesign::forbid_core_dumps(); !done.has_value()) return stop(done.error());
  // A peer that goes away in the middle of a request is an error, not our end.
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
  Arguments arguments;
  CLI::App app("Makes the certificates of a linesign appliance known to AWS IoT.",
               "linesign-uploader");
  app.fallthrough();
  app.require_subcommand(0, 1);
  app.add_option("--config", arguments.config, "Configuration file of the appliance")
      ->capture_default_str()
      ->type_name("FILE");
  app.add_flag("--check-config",
               arguments.check_only,
               "Check the configuration and each target's credentials, without calling AWS");
  app.set_version_flag("--version", std::string(linesign::kSoftware));
  add_commands(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    return app.exit(help_or_version);
  } catch (const CLI::ParseError& error) {
    return stop(linesign::Error(linesign::ErrorCode::Usage, linesign::usage_text(app, error)));
  }
  return run(arguments);
}
