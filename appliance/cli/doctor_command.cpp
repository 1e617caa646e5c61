// linesign doctor: what is in the HSM, what is wrong with it, and the lines for linesign.toml.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "appliance/cli/invocation.h"
#include "appliance/cli/report_json.h"
#include "appliance/config/config.h"
#include "appliance/startup/start_check.h"
#include "hsm/ceremony/doctor.h"

namespace linesign {
namespace {

constexpr int kExitProblem = 69;

struct DoctorOptions {
  std::string module;
  std::string token;
  std::string serial;
  std::string pin_file;
  bool no_login = false;
  bool try_pin = false;
  bool json = false;
};

DoctorRequest request_from(const DoctorOptions& options) {
  DoctorRequest request;
  request.module = options.module;
  request.token_label = options.token;
  request.token_serial = options.serial;
  request.pin_file = options.pin_file;
  return request;
}

DoctorRequest request_from(const SignerSettings& settings) {
  return {.module = settings.token.module,
          .token_label = settings.token.token_label,
          .token_serial = settings.token.token_serial,
          .key_label = settings.token.key_label,
          .key_id_hex = settings.token.key_id_hex,
          .pin_file = settings.token.pin_file,
          .ca_certificate = settings.ca_certificate,
          .login_lock = settings.login_lock,
          .signer_user = settings.user,
          .pin_memory = settings.pin_memory};
}

// Of a start finding, whose detail is "KEY: what is wrong". An Io can be about any file.
bool is_same(const DoctorFinding& of_hsm, const Error& error) {
  if (of_hsm.code != error.code()) return false;
  if (error.code() != ErrorCode::Io) return true;
  const size_t key_end = error.detail().find(": ");
  return key_end != std::string::npos &&
         of_hsm.text.find(error.detail().substr(key_end + 2)) != std::string::npos;
}

DoctorFinding doctor_finding(const StartFinding& finding) {
  if (finding.gravity == StartGravity::Warning)
    return {Severity::Warning, finding.error.detail(), std::nullopt};
  return {Severity::Problem, finding.error.to_string(), finding.error.code()};
}

// What the configuration needs beside the HSM, unless the HSM's findings say it.
void add(DoctorReport& report, const std::vector<StartFinding>& findings) {
  const std::vector<DoctorFinding> of_hsm = report.findings;
  for (const StartFinding& finding : findings) {
    const bool is_said = std::any_of(of_hsm.begin(), of_hsm.end(), [&](const DoctorFinding& each) {
      return is_same(each, finding.error);
    });
    if (!is_said) report.findings.push_back(doctor_finding(finding));
  }
}

int exit_code_of(const DoctorReport& report) {
  if (report.worst() != Severity::Problem) return 0;
  for (const DoctorFinding& finding : report.findings) {
    if (finding.severity == Severity::Problem && finding.code.has_value())
      return error_info(*finding.code).exit_code;
  }
  return kExitProblem;
}

Result<int> run_doctor(const Invocation& invocation, const DoctorOptions& options) {
  DoctorRequest request = request_from(options);
  std::vector<StartFinding> findings;
  if (options.module.empty()) {
    LS_TRY(const Config config, load_config(invocation.config));
    request = request_from(config.signer);
    findings = check_start(config, SystemClock().now());
  }
  if (options.no_login) request.pin_file.clear();
  request.is_try_ordered = options.try_pin;
  DoctorReport report = examine(request);
  add(report, findings);
  if (options.json) {
    std::cout << to_json(report) << '\n';
  } else {
    std::cout << doctor_text(report);
  }
  return exit_code_of(report);
}

}  // namespace

void add_doctor_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand(
      "doctor", "Look at the HSM: as the configuration says, or at --module without one");
  const auto options = add_run<DoctorOptions>(command, invocation, run_doctor);
  CLI::Option* module =
      command->add_option("--module", options->module, "PKCS#11 module")->type_name("PATH");
  command->add_option("--token", options->token, "Label of the token")
      ->needs(module)
      ->type_name("LABEL");
  command->add_option("--serial", options->serial, "Serial number of the token")
      ->needs(module)
      ->type_name("SERIAL");
  command->add_option("--pin-file", options->pin_file, "Log in, once, with the PIN in this file")
      ->needs(module)
      ->type_name("FILE");
  CLI::Option* no_login = command->add_flag(
      "--no-login", options->no_login, "Do not use the PIN file of the configuration");
  command
      ->add_flag("--try-pin",
                 options->try_pin,
                 "Log in, once, also with a PIN that was tried before, and as the token's last try")
      ->excludes(no_login);
  command->add_flag("--json", options->json, "Print JSON");
}

}  // namespace linesign
