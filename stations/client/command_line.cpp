#include "stations/client/command_line.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "protocol/base/ids.h"
#include "protocol/base/version.h"
#include "protocol/settings/units.h"
#include "protocol/usage/usage_text.h"

namespace linesign::client {
namespace {

constexpr int kExitUsage = 64;
constexpr uint64_t kMaxGenerate = 1'000'000'000;

constexpr std::array<std::string_view, 4> kDeviceIdFromNames = {
    "any", "file-name", "common-name", "serial-number"};  // in the order of DeviceIdFrom

// The words as they stand on the command line; the structs get them once they are checked.
struct Words {
  EnrollCommand enroll;
  RequestCommand request;
  StatusCommand status;
  std::string enroll_timeout = "30s";
  std::string request_timeout = "10m";
  std::string key_type = "P-256";
  std::string device_id_from = "any";
};

std::string check_duration(const std::string& text) {
  const auto duration = parse_duration(text);
  if (duration && duration->count() > 0) return {};
  return fmt::format("{}: a number and one of {}", text, kDurationUnits);
}

std::string check_key_type(const std::string& text) {
  if (parse_key_kind(text)) return {};
  return fmt::format("{}: one of {}", text, fmt::join(kKeyKindNames, ", "));
}

std::string check_device_id_from(const std::string& text) {
  const auto& names = kDeviceIdFromNames;
  if (std::find(names.begin(), names.end(), text) != names.end()) return {};
  return fmt::format("{}: one of {}", text, fmt::join(names, ", "));
}

std::string check_order(const std::string& text) {
  if (check_order_id(text).has_value()) return {};
  return text + ": an order has 1 to 64 of the characters A-Z a-z 0-9 . _ -";
}

std::string check_device(const std::string& text) {
  const auto checked = check_device_id(text);
  return checked.has_value() ? std::string() : checked.error().to_string();
}

CLI::App* add_enroll(CLI::App& app, Words& words) {
  CLI::App* enroll = app.add_subcommand("enroll", "Enroll this station at the appliance");
  auto* token = enroll->add_option(
      "TOKEN", words.enroll.token, "The join token; - reads it from standard input");
  auto* file =
      enroll->add_option("--token-file", words.enroll.token_file, "Read the token from this file");
  token->excludes(file);
  enroll->add_option("--dir", words.enroll.directory, "Folder of the station's credential")
      ->required();
  enroll->add_option("--timeout", words.enroll_timeout, "Give up after this long")
      ->capture_default_str()
      ->check(check_duration);
  enroll->add_flag("--force", words.enroll.force, "Replace the credential that is there");
  enroll->add_flag("--json", words.enroll.json, "Print the result as JSON");
  return enroll;
}

void add_request_sources(CLI::App& request, Words& words) {
  auto* sources = request.add_option_group("source", "Where the CSRs come from");
  sources->add_option("--csr", words.request.csr, "One CSR, PEM or DER");
  sources->add_option(
      "--csr-dir", words.request.csr_dir, "All CSRs of a folder: *.csr *.req *.pem *.der *.p10");
  sources->add_option("--generate", words.request.generate, "Generate this many keys and CSRs here")
      ->check(CLI::Range(uint64_t{1}, kMaxGenerate));
  sources->require_option(1);
  auto* device_id =
      request.add_option("--device-id", words.request.device_id, "Device id for --csr")
          ->check(check_device)
          ->needs("--csr");
  request
      .add_option("--device-id-from",
                  words.device_id_from,
                  "Take the device id of a CSR file from: file-name, common-name, serial-number "
                  "(of the subject), or any: the common name, else the file's name")
      ->capture_default_str()
      ->check(check_device_id_from)
      ->excludes("--generate")
      ->excludes(device_id);
  request
      .add_option("--device-prefix",
                  words.request.device_prefix,
                  "Device id for --generate: this and a number [the station's name and -]")
      ->needs("--generate");
  request.add_option("--first", words.request.first, "The first number for --generate")
      ->capture_default_str()
      ->check(CLI::Range(uint64_t{0}, kMaxGenerate))
      ->needs("--generate");
  request.add_option("--key-type", words.key_type, "Key type for --generate")
      ->capture_default_str()
      ->check(check_key_type)
      ->needs("--generate");
  request
      .add_option("--keys",
                  words.request.keys,
                  "Folder for the keys and CSRs of --generate [OUT-keys beside OUT]")
      ->needs("--generate");
}

CLI::App* add_request(CLI::App& app, Words& words) {
  CLI::App* request = app.add_subcommand("request", "Get certificates for devices");
  words.request.order = "default";
  request->add_option("--dir", words.request.directory, "Folder of the station's credential")
      ->required();
  request->add_option("--order", words.request.order, "The production order")
      ->capture_default_str()
      ->check(check_order);
  add_request_sources(*request, words);
  request->add_option("--out", words.request.out, "Folder for the certificates: DEVICE.pem each")
      ->required();
  request->add_option(
      "--report", words.request.report, "Write every refusal to this file, as JSON");
  request->add_option("--address", words.request.address, "host:port instead of the credential's");
  request->add_option("--window", words.request.window, "Maximum number of outstanding requests")
      ->check(CLI::Range(1U, 65536U));
  request->add_option("--threads", words.request.threads, "Threads for keys, checks and files")
      ->check(CLI::Range(1U, 256U));
  request
      ->add_option(
          "--timeout", words.request_timeout, "Give up if there is no progress for this long")
      ->capture_default_str()
      ->check(check_duration);
  request->add_flag("--quiet", words.request.quiet, "No progress");
  request->add_flag("--json", words.request.json, "Print the summary as JSON");
  return request;
}

CLI::App* add_status(CLI::App& app, Words& words) {
  CLI::App* status = app.add_subcommand("status", "Show who this station is");
  status->add_option("--dir", words.status.directory, "Folder of the station's credential")
      ->required();
  status->add_option("--address", words.status.address, "host:port instead of the credential's");
  status->add_flag("--check", words.status.check, "Also connect to the appliance");
  status->add_flag("--json", words.status.json, "Print it as JSON");
  return status;
}

// "certs/" and "certs" are the same folder, and its keys go to "certs-keys".
std::filesystem::path without_slash(const std::filesystem::path& path) {
  const std::filesystem::path normal = path.lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

Command usage_error(const std::string& sentence) {
  fmt::print(stderr, "linesign-station: {}\nRun with --help for more information.\n", sentence);
  return ExitNow{kExitUsage};
}

Command finish(RequestCommand request, const Words& words) {
  request.timeout = *parse_duration(words.request_timeout);
  request.key_kind = *parse_key_kind(words.key_type);
  const auto* from =
      std::find(kDeviceIdFromNames.begin(), kDeviceIdFromNames.end(), words.device_id_from);
  request.device_id_from = static_cast<DeviceIdFrom>(from - kDeviceIdFromNames.begin());
  request.out = without_slash(request.out);
  if (request.generate == 0) return request;
  request.keys = request.keys.empty() ? std::filesystem::path(request.out.string() + "-keys")
                                      : without_slash(request.keys);
  if (request.keys == request.out) return usage_error("--keys and --out must be different folders");
  return request;
}

Command finish(EnrollCommand enroll, const Words& words) {
  enroll.timeout = *parse_duration(words.enroll_timeout);
  if (enroll.token.empty() && enroll.token_file.empty())
    return usage_error("a TOKEN, - or --token-file is needed");
  return enroll;
}

}  // namespace

Command parse_command_line(int argc, const char* const* argv) {
  Words words;
  CLI::App app("The linesign station: enrol it once, then get certificates for devices.",
               "linesign-station");
  app.set_version_flag("--version", fmt::format("linesign-station {}", kVersion));
  app.require_subcommand(1);
  const CLI::App* enroll = add_enroll(app, words);
  const CLI::App* request = add_request(app, words);
  add_status(app, words);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    return ExitNow{app.exit(help_or_version)};
  } catch (const CLI::ParseError& error) {
    return usage_error(usage_text(app, error));
  }
  if (enroll->parsed()) return finish(words.enroll, words);
  if (request->parsed()) return finish(words.request, words);
  return words.status;
}

}  // namespace linesign::client
