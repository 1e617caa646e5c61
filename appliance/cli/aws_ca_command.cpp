#include "appliance/cli/aws_ca_command.h"

#include <iostream>

#include "appliance/cli/uploader_program.h"
#include "appliance/config/config.h"
#include "hsm/ceremony/verification_certificate.h"

namespace linesign {
namespace {

constexpr const char* kRegistered = "registered";

struct RegisterCaOptions {
  std::vector<std::string> targets;
  std::string ca;
  bool may_change_mode = false;
  bool is_sure = false;
};

struct OneCaOptions {
  std::string target;
  std::string ca;
  bool force = false;
  bool is_sure = false;
};

// The exit code, when the code could not be fetched; else `proof` is filled, or empty where the CA
// is registered already.
Result<int> make_proof(const Config& config,
                       const UploaderProgram& uploader,
                       const std::string& target,
                       std::string& proof) {
  LS_TRY(UploaderProgram::Answer answer,
         uploader.ask({"registration-code", "--target", target}, ""));
  if (answer.exit_code != 0) return answer.exit_code;
  std::string& code = answer.out;
  while (code.ends_with('\n')) code.pop_back();
  if (code == kRegistered) return 0;
  LS_TRY(proof, make_verification_certificate(config.signer, code, SystemClock().now()));
  std::cout << target << ": verification certificate made with the key in the token\n"
            << std::flush;
  return 0;
}

Result<int> register_ca_with(const Config& config,
                             const UploaderProgram& uploader,
                             const TargetConfig& target,
                             const RegisterCaOptions& options) {
  std::vector<std::string> words = {"register-ca", "--target", target.name};
  if (options.may_change_mode) words.emplace_back("--change-mode");
  if (!options.ca.empty()) words.insert(words.end(), {"--ca", options.ca});
  if (!options.ca.empty() && target.mode == CaMode::Default)
    return fail(ErrorCode::Usage,
                "--ca: mode DEFAULT of " + target.name +
                    " needs a proof by the former CA's key: run register-ca with --config and a "
                    "configuration file that names this CA and its key");
  std::string proof;
  if (target.mode == CaMode::Default) {
    LS_TRY(const int exit_code, make_proof(config, uploader, target.name, proof));
    if (exit_code != 0) return exit_code;
  }
  if (!proof.empty()) words.emplace_back("--proof");
  return uploader.run(words, proof);
}

Result<int> run_register_ca(const Invocation& invocation, const RegisterCaOptions& options) {
  LS_TRY(const Config config, load_config(invocation.config));
  LS_TRY(const UploaderProgram uploader, UploaderProgram::find(config.file));
  std::vector<std::string> names = options.targets;
  if (names.empty())
    for (const TargetConfig& each : config.aws.targets)
      if (each.way != TargetWay::File) names.push_back(each.name);
  if (names.empty()) return fail(ErrorCode::CloudTargetUnknown, "no [[aws.target]] that calls AWS");
  if (options.may_change_mode)
    LS_CHECK(confirm(options.is_sure,
                     "Where the CA is registered in the other mode it is deleted and registered "
                     "again; between the two nothing can be registered with it"));
  int worst = 0;
  for (const std::string& name : names) {
    const TargetConfig* const target = config.aws.find(name);
    if (target == nullptr) return fail(ErrorCode::CloudTargetUnknown, name);
    LS_TRY(const int exit_code, register_ca_with(config, uploader, *target, options));
    if (worst == 0) worst = exit_code;
  }
  return worst;
}

std::vector<std::string> with_ca(std::vector<std::string> words, const OneCaOptions& options) {
  words.insert(words.end(), {"--target", options.target});
  if (!options.ca.empty()) words.insert(words.end(), {"--ca", options.ca});
  return words;
}

Result<int> run_deactivate_ca(const Invocation& invocation, const OneCaOptions& options) {
  LS_CHECK(confirm(
      options.is_sure,
      "Until the CA is ACTIVE again nothing can be registered with it in " + options.target));
  return become(invocation, with_ca({"deactivate-ca"}, options));
}

Result<int> run_delete_ca(const Invocation& invocation, const OneCaOptions& options) {
  LS_CHECK(confirm(options.is_sure,
                   "The registration of the CA in " + options.target +
                       " is deleted; certificates that are registered stay, and devices that "
                       "register themselves at their first connection no longer can"));
  std::vector<std::string> words = with_ca({"delete-ca"}, options);
  if (options.force) words.emplace_back("--force");
  return become(invocation, words);
}

void add_ca(CLI::App* command, std::string& ca) {
  command
      ->add_option(
          "--ca", ca, "A former CA instead of the present one: its PEM file, or its certificate id")
      ->type_name("FILE|ID");
}

}  // namespace

Result<int> become(const Invocation& invocation, const std::vector<std::string>& words) {
  LS_TRY(const UploaderProgram uploader, UploaderProgram::find(invocation.config));
  return fail(uploader.become(words));
}

std::vector<std::string> with_targets(std::vector<std::string> words,
                                      const std::vector<std::string>& targets) {
  for (const std::string& each : targets) words.insert(words.end(), {"--target", each});
  return words;
}

void add_targets(CLI::App* command, std::vector<std::string>& targets) {
  command->add_option("--target", targets, "Only this target; may be repeated")->type_name("NAME");
}

void add_target(CLI::App* command, std::string& target) {
  command->add_option("--target", target, "The target")->required()->type_name("NAME");
}

void add_sure(CLI::App* command, bool& is_sure) {
  command->add_flag("--yes", is_sure, "Do not ask");
}

void add_aws_ca_commands(CLI::App& aws, Invocation& invocation) {
  CLI::App* add = aws.add_subcommand("register-ca", "Register the CA; may be repeated");
  const auto add_options = add_run<RegisterCaOptions>(add, invocation, run_register_ca);
  add_targets(add, add_options->targets);
  add->add_flag("--change-mode",
                add_options->may_change_mode,
                "Delete a CA that is registered in the other mode, and register it again");
  add_ca(add, add_options->ca);
  add_sure(add, add_options->is_sure);

  CLI::App* deactivate = aws.add_subcommand("deactivate-ca", "Set the CA INACTIVE");
  const auto deactivate_options = add_run<OneCaOptions>(deactivate, invocation, run_deactivate_ca);
  add_target(deactivate, deactivate_options->target);
  add_ca(deactivate, deactivate_options->ca);
  add_sure(deactivate, deactivate_options->is_sure);

  CLI::App* remove = aws.add_subcommand("delete-ca", "Deactivate the CA and delete it");
  const auto remove_options = add_run<OneCaOptions>(remove, invocation, run_delete_ca);
  add_target(remove, remove_options->target);
  add_ca(remove, remove_options->ca);
  remove->add_flag(
      "--force", remove_options->force, "Though devices that are still to be registered need it");
  add_sure(remove, remove_options->is_sure);
}

}  // namespace linesign
