// linesign ca: the key ceremony and the CA certificate.
#include <iostream>
#include <string>

#include <fmt/format.h>

#include "appliance/cli/invocation.h"
#include "appliance/cli/report_json.h"
#include "hsm/ceremony/ceremony.h"

namespace linesign {
namespace {

struct CeremonyCommandOptions {
  std::string ceremony_file;
  bool force = false;
  bool json = false;
};

struct ImportOptions {
  CeremonyCommandOptions common;
  std::string certificate;
  std::string root;
};

std::string report_line(std::string_view name, std::string_view value) {
  return value.empty() ? "" : fmt::format("{:<14}{}\n", name, value);
}

std::string report_text(const CeremonyReport& report) {
  std::string text;
  text +=
      report_line("token", fmt::format("{} (serial {})", report.token_label, report.token_serial));
  text += report_line(
      "key",
      fmt::format("{} {}, id {}", to_string(report.key_type), report.key_label, report.key_id_hex));
  text += report_line("public key", "SHA-256 " + report.public_key_sha256_hex);
  text += report_line("subject", report.subject);
  if (!report.certificate_sha256_hex.empty()) {
    text += report_line("certificate", "SHA-256 " + report.certificate_sha256_hex);
    text += report_line("valid", fmt::format("{} to {}", report.not_before, report.not_after));
  }
  for (const auto& path : report.written) text += report_line("written", path.string());
  for (const std::string& note : report.notes) text += report_line("note", note);
  if (!report.config_lines.empty()) text += "\nfor linesign.toml:\n\n" + report.config_lines;
  return text;
}

Result<int> print(const Result<CeremonyReport>& report, bool json) {
  if (!report.has_value()) return fail(report.error());
  std::string text = json ? to_json(*report) : report_text(*report);
  if (text.empty() || text.back() != '\n') text += '\n';
  std::cout << text;
  return 0;
}

Result<int> run_init(const Invocation& /*invocation*/, const CeremonyCommandOptions& options) {
  LS_TRY(const CeremonyPlan plan, load_ceremony(options.ceremony_file));
  return print(init_ca(plan, {.force = options.force}), options.json);
}

Result<int> run_csr(const Invocation& /*invocation*/, const CeremonyCommandOptions& options) {
  LS_TRY(const CeremonyPlan plan, load_ceremony(options.ceremony_file));
  return print(make_ca_csr(plan, {.force = options.force}), options.json);
}

Result<int> run_show(const Invocation& /*invocation*/, const CeremonyCommandOptions& options) {
  LS_TRY(const CeremonyPlan plan, load_ceremony(options.ceremony_file));
  return print(show_ca(plan), options.json);
}

Result<int> run_import(const Invocation& /*invocation*/, const ImportOptions& options) {
  LS_TRY(const CeremonyPlan plan, load_ceremony(options.common.ceremony_file));
  const CaImport input{.certificate = options.certificate, .root = options.root};
  return print(import_ca(plan, input, {.force = options.common.force}), options.common.json);
}

void add_common(CLI::App* command, CeremonyCommandOptions& options, bool may_force) {
  command->add_flag("--json", options.json, "Print JSON");
  if (may_force)
    command->add_flag(
        "--force", options.force, "Replace output files that exist; a key is never replaced");
}

void add_plain(CLI::App* ca,
               Invocation& invocation,
               const std::string& name,
               const std::string& description,
               Result<int> (*run)(const Invocation&, const CeremonyCommandOptions&),
               bool may_force) {
  CLI::App* command = ca->add_subcommand(name, description);
  const auto options = add_run<CeremonyCommandOptions>(command, invocation, run);
  command->add_option("FILE", options->ceremony_file, "The ceremony file (TOML)")->required();
  add_common(command, *options, may_force);
}

}  // namespace

void add_ca_command(CLI::App& app, Invocation& invocation) {
  CLI::App* ca = app.add_subcommand("ca", "Key ceremony and CA certificate");
  ca->require_subcommand(1);
  add_plain(ca,
            invocation,
            "init",
            "Make the CA key in the token, and its certificate (root) or CSR (intermediate)",
            run_init,
            true);
  add_plain(ca, invocation, "csr", "Make the CSR again for the key that is there", run_csr, true);
  add_plain(ca, invocation, "show", "Check key and certificate; changes nothing", run_show, false);

  CLI::App* import =
      ca->add_subcommand("import", "Import the CA certificate that another CA issued");
  const auto options = add_run<ImportOptions>(import, invocation, run_import);
  import
      ->add_option("CERT",
                   options->certificate,
                   "PEM, DER or PKCS#7: the CA certificate, perhaps with its chain")
      ->required();
  import->add_option("--ceremony", options->common.ceremony_file, "The ceremony file (TOML)")
      ->required()
      ->type_name("FILE");
  import
      ->add_option("--root",
                   options->root,
                   "PEM, DER or PKCS#7: the certificate in which the chain must end")
      ->required()
      ->type_name("PEM");
  add_common(import, options->common, true);
}

}  // namespace linesign
