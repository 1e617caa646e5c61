// linesign manifest: lists of what was made, for AWS, for auditors, and back from a plant without
// internet.
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "appliance/admin/client/cloud_client.h"
#include "appliance/cli/invocation.h"
#include "appliance/cloud/manifest/manifest_export.h"
#include "appliance/cloud/registration/plant_report.h"
#include "appliance/cloud/targets/target_config.h"
#include "appliance/config/config.h"
#include "hsm/ceremony/manifest_key.h"
#include "hsm/x509/csr.h"
#include "protocol/base/clock.h"
#include "protocol/base/progress_display.h"

namespace linesign {
namespace {

using JsonList = Poco::JSON::Array;
using JsonRecord = Poco::JSON::Object;

struct ManifestInitOptions {
  std::string type = "P-256";
  ManifestKeyPlan plan;
  bool json = false;
};

struct ManifestExportOptions {
  std::string order = "default";
  uint64_t first = 1;
  uint64_t last = 0;
  const CLI::Option* last_option = nullptr;
  std::string target;
  std::string format;
  std::string out;
  bool force = false;
  bool json = false;
};

struct ManifestVerifyOptions {
  std::vector<std::string> files;
  std::string certificate;
  bool offline = false;
  bool json = false;
};

struct ManifestImportOptions {
  std::vector<std::string> files;
  std::string target;
  std::string manifest;
  bool json = false;
};

JsonRecord::Ptr new_record() { return Poco::makeShared<JsonRecord>(Poco::JSON_PRESERVE_KEY_ORDER); }

void print_json(const JsonRecord& record) {
  record.stringify(std::cout, 2);
  std::cout << '\n';
}

void print_row(std::string_view name, std::string_view value) {
  std::cout << fmt::format("{:<14}{}\n", name, value);
}

CertificateSource ledger_of(const CloudClient& cloud) {
  return [cloud](const std::string& order, uint64_t after, uint32_t limit) {
    return cloud.certificates(order, after, limit);
  };
}

// --- init

Result<int> init_manifest_key(const Invocation& invocation, const ManifestInitOptions& options) {
  LS_TRY(const Config config, load_config(invocation.config));
  ManifestKeyPlan plan = options.plan;
  const auto* const type =
      std::find(kKeyTypeNames.begin(), kKeyTypeNames.end(), std::string_view(options.type));
  plan.type = static_cast<KeyType>(type - kKeyTypeNames.begin());  // CLI11 knows the names
  LS_TRY(const ManifestKeyReport report,
         make_manifest_key(config.signer, config.manifest, plan, SystemClock().now()));
  if (options.json) {
    auto record = new_record();
    record->set("token_label", report.token_label);
    record->set("key_label", report.key_label);
    record->set("key_id", report.key_id_hex);
    record->set("key_type", std::string(to_string(report.key_type)));
    record->set("certificate", report.certificate.string());
    record->set("certificate_sha256", report.certificate_sha256_hex);
    print_json(*record);
    return 0;
  }
  print_row("token", report.token_label);
  print_row(
      "key",
      fmt::format("{} {}, id {}", to_string(report.key_type), report.key_label, report.key_id_hex));
  print_row("certificate", "SHA-256 " + report.certificate_sha256_hex);
  print_row("written", report.certificate.string());
  return 0;
}

// --- export

// The same pages; the display hears of each.
CertificateSource with_progress(CertificateSource source, ProgressDisplay& display) {
  return [source = std::move(source), &display, done = uint64_t{0}](
             const std::string& order, uint64_t after, uint32_t limit) mutable {
    auto page = source(order, after, limit);
    if (page.has_value()) done += page->certificates.size();
    display.show({.done = done, .left = std::nullopt}, SystemClock().steady());
    return page;
  };
}

Result<ManifestFormat> format_of(const ManifestExportOptions& options) {
  if (!options.target.empty() && options.format != "json")
    return fail(ErrorCode::Usage, "--target chooses the parameters of --format json only");
  if (options.format == "csv") return ManifestFormat::Csv;
  return options.format == "signed" ? ManifestFormat::Signed : ManifestFormat::Json;
}

Result<TextMap> parameters_of(const Config& config, const std::string& target) {
  if (target.empty()) return default_parameters();
  const TargetConfig* found = config.aws.find(target);
  if (found == nullptr) return fail(ErrorCode::CloudTargetUnknown, target);
  return found->parameters;
}

void print_export(const ExportedManifest& made, bool json) {
  const RangeSummary& summary = made.summary;
  if (json) {
    auto record = new_record();
    JsonList::Ptr files = Poco::makeShared<JsonList>();
    for (const auto& file : made.files) files->add(file.string());
    record->set("files", files);
    record->set("first", summary.first);
    record->set("last", summary.last);
    record->set("count", summary.count);
    record->set("range_sha256", to_hex(summary.hash));
    record->set("file_sha256", to_hex(made.written.sha256));
    print_json(*record);
    return;
  }
  print_row("devices", std::to_string(summary.count));
  print_row("ledger", fmt::format("{} to {}", summary.first, summary.last));
  print_row("range", "SHA-256 " + to_hex(summary.hash));
  for (const auto& file : made.files) print_row("written", file.string());
}

Result<ManifestSigner> open_manifest_signer(const Config& config) {
  auto signer = ManifestSigner::open(config.signer, config.manifest);
  if (signer.has_value()) return signer;
  std::error_code ignored;
  const bool has_certificate = std::filesystem::exists(config.manifest.certificate, ignored);
  const Error& error = signer.error();
  if (has_certificate && error.code() != ErrorCode::HsmKeyNotFound) return signer;
  return fail(
      error.code(),
      error.detail() + "; where there is no manifest key yet: run `linesign manifest init`");
}

Result<int> run_export(const Invocation& invocation, const ManifestExportOptions& options) {
  ManifestPlan plan;
  LS_TRY(plan.format, format_of(options));
  LS_TRY(const Config config, load_config(invocation.config));
  LS_TRY(plan.parameters, parameters_of(config, options.target));
  plan.head.order = options.order;
  plan.range.first = options.first;
  if (options.last_option->count() > 0) plan.range.last = options.last;
  plan.out = options.out;
  plan.may_replace = options.force;
  ProgressDisplay display(ProgressDisplay::mode_for(STDERR_FILENO), stderr);
  const CertificateSource source =
      with_progress(ledger_of(AdminClient(config.admin.socket).cloud()), display);
  std::optional<ManifestSigner> signer;
  if (plan.format == ManifestFormat::Signed) {
    LS_TRY(ManifestSigner opened, open_manifest_signer(config));
    signer.emplace(std::move(opened));
  }
  const auto exported = export_manifest(
      plan, source, [&](const std::filesystem::path& content) { return signer->sign(content); });
  display.clear();
  LS_TRY(const ExportedManifest made, exported);
  print_export(made, options.json);
  return 0;
}

// --- verify

// Whom to believe, and whom to ask; what is not there is not needed either.
struct Verifier {
  std::vector<Bytes> trusted;
  std::optional<CertificateSource> ledger;
  std::string why_no_ledger;
};

Result<Verifier> open_verifier(const Invocation& invocation, const ManifestVerifyOptions& options) {
  Verifier verifier;
  const auto config = load_config(invocation.config);
  if (!config.has_value() && options.certificate.empty()) return fail(config.error());
  std::filesystem::path certificate = options.certificate;
  if (certificate.empty()) certificate = config->manifest.certificate;
  LS_TRY(verifier.trusted, load_certificates(certificate));
  if (options.offline || !config.has_value()) {
    verifier.why_no_ledger = options.offline ? "--offline" : "there is no configuration file";
    return verifier;
  }
  const AdminClient client(config->admin.socket);
  const auto status = client.status();
  if (status.has_value()) {
    verifier.ledger = ledger_of(client.cloud());
  } else {
    verifier.why_no_ledger = status.error().to_string();
  }
  return verifier;
}

std::string cas_text(const RangeSummary& summary) {
  std::vector<std::string> ids;
  ids.reserve(summary.cas.size());
  for (const Sha256& id : summary.cas) ids.push_back(to_hex(id));
  return ids.empty() ? "none" : fmt::format("{}", fmt::join(ids, " and "));
}

void print_checked(const std::vector<CheckedManifest>& manifests, const Verifier& verifier) {
  for (const CheckedManifest& each : manifests) {
    std::cout << fmt::format(
        "good: {}: order {}, {} devices, ledger {} to {}, CA {}, signed by {}{}\n",
        each.path.string(),
        each.head.order,
        each.summary.count,
        each.summary.first,
        each.summary.last,
        cas_text(each.summary),
        each.signer.subject,
        each.signer.signed_at ? " at " + to_iso8601(*each.signer.signed_at) : std::string());
  }
  if (manifests.size() > 1) std::cout << "They follow each other without a gap.\n";
  std::cout << (verifier.ledger ? std::string("The ledger holds the same.")
                                : "The ledger was not asked: " + verifier.why_no_ledger)
            << '\n';
}

void print_checked_json(const std::vector<CheckedManifest>& manifests, const Verifier& verifier) {
  auto record = new_record();
  JsonList::Ptr list = Poco::makeShared<JsonList>();
  for (const CheckedManifest& each : manifests) {
    auto item = new_record();
    item->set("file", each.path.string());
    item->set("order", each.head.order);
    JsonList::Ptr cas = Poco::makeShared<JsonList>();
    for (const Sha256& id : each.summary.cas) cas->add(to_hex(id));
    item->set("ca_certificate_ids", cas);
    item->set("first", each.summary.first);
    item->set("last", each.summary.last);
    item->set("count", each.summary.count);
    item->set("range_sha256", to_hex(each.summary.hash));
    item->set("signer", each.signer.subject);
    item->set("signer_sha256", to_hex(sha256(each.signer.certificate_der)));
    if (each.signer.signed_at) item->set("signed_at", to_iso8601(*each.signer.signed_at));
    list->add(item);
  }
  record->set("manifests", list);
  record->set("ledger_asked", verifier.ledger.has_value());
  print_json(*record);
}

Result<int> run_verify(const Invocation& invocation, const ManifestVerifyOptions& options) {
  LS_TRY(const Verifier verifier, open_verifier(invocation, options));
  std::vector<CheckedManifest> manifests;
  for (const std::string& file : options.files) {
    LS_TRY(CheckedManifest manifest, check_manifest(file, verifier.trusted));
    manifests.push_back(std::move(manifest));
  }
  LS_CHECK(check_sequence(manifests));
  if (verifier.ledger)
    for (const CheckedManifest& each : manifests)
      LS_CHECK(compare_with_ledger(each, *verifier.ledger));
  options.json ? print_checked_json(manifests, verifier) : print_checked(manifests, verifier);
  return 0;
}

// --- import-report

Result<std::vector<std::string>> orders_of(const CloudClient& cloud, const std::string& target) {
  LS_TRY(const std::vector<CloudTargetStatus> all, cloud.status());
  for (const CloudTargetStatus& each : all) {
    if (each.target.name != target) continue;
    std::vector<std::string> orders;
    orders.reserve(each.feeds.size());
    for (const CloudFeedStatus& feed : each.feeds) orders.push_back(feed.order_id);
    return orders;
  }
  return fail(ErrorCode::CloudTargetUnknown, target);
}

// Devices at which AWS failed, as when it was busy: their state is what it was.
std::string retry_advice(const std::vector<uint64_t>& numbers) {
  constexpr size_t kShown = 10;
  const auto end = numbers.begin() + static_cast<ptrdiff_t>(std::min(kShown, numbers.size()));
  return fmt::format(
      "{} at which AWS failed, which may pass (numbers {}{}): nothing is booked for "
      "them; give AWS their lines again",
      numbers.size(),
      fmt::join(numbers.begin(), end, ", "),
      numbers.size() > kShown ? ", ..." : "");
}

Result<int> run_import(const Invocation& invocation, const ManifestImportOptions& options) {
  LS_TRY(const AdminClient client, open_admin_client(invocation));
  const CloudClient cloud = client.cloud();
  LS_TRY(const std::vector<std::string> orders, orders_of(cloud, options.target));
  PlantReport report;
  if (!options.manifest.empty()) LS_CHECK(report.read_manifest(options.manifest));
  for (const std::string& file : options.files) LS_CHECK(report.read(file));
  PlantBook book;
  book.certificates = ledger_of(cloud);
  book.claim = [&](uint64_t after, uint32_t limit) {
    return cloud.claim(options.target, after, limit);
  };
  book.book = [&](std::vector<CloudBooking> bookings) {
    return cloud.book(options.target, std::move(bookings));
  };
  LS_TRY(const ImportedReport imported, book_report(report, orders, book));
  if (options.json) {
    auto record = new_record();
    record->set("registered", imported.registered);
    record->set("failed", imported.failed);
    record->set("booked", imported.booked);
    record->set("unchanged", imported.unchanged);
    JsonList::Ptr to_retry = Poco::makeShared<JsonList>();
    for (const uint64_t number : imported.to_retry) to_retry->add(number);
    record->set("to_retry", to_retry);
    print_json(*record);
    return 0;
  }
  print_row("registered", std::to_string(imported.registered));
  print_row("failed", std::to_string(imported.failed));
  print_row("booked", fmt::format("{}, known before: {}", imported.booked, imported.unchanged));
  if (!imported.to_retry.empty()) print_row("to retry", retry_advice(imported.to_retry));
  return 0;
}

// --- the commands

void add_init(CLI::App* manifest, Invocation& invocation) {
  CLI::App* command =
      manifest->add_subcommand("init", "Make the key that signs manifests, and its certificate");
  const auto options = add_run<ManifestInitOptions>(command, invocation, init_manifest_key);
  command->add_option("--type", options->type, "The kind of key")
      ->check(CLI::IsMember(std::vector<std::string>(kKeyTypeNames.begin(), kKeyTypeNames.end())))
      ->capture_default_str();
  command->add_option("--name", options->plan.name, "Whom the certificate names")
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON");
  command->add_flag("--force",
                    options->plan.may_replace,
                    "Replace the certificate's file; a key is never replaced");
}

void add_export(CLI::App* manifest, Invocation& invocation) {
  CLI::App* command = manifest->add_subcommand("export", "Write what was made into a file");
  const auto options = add_run<ManifestExportOptions>(command, invocation, run_export);
  command->add_option("--order", options->order, "Which order")->capture_default_str();
  command->add_option("--first", options->first, "From this number of the ledger on")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 62))
      ->capture_default_str();
  options->last_option =
      command->add_option("--last", options->last, "Up to this one (default: all that is finished)")
          ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 62));
  command->add_option("--target", options->target, "For json: the target with the parameters")
      ->type_name("NAME");
  command
      ->add_option("--format",
                   options->format,
                   "json: lines for bulk registration; csv; signed: with a CMS signature beside it")
      ->required()
      ->check(CLI::IsMember({"json", "csv", "signed"}));
  command->add_option("--out", options->out, "The file")->required()->type_name("FILE");
  command->add_flag("--force", options->force, "Replace files that exist");
  command->add_flag("--json", options->json, "Print JSON");
}

void add_verify(CLI::App* manifest, Invocation& invocation) {
  CLI::App* command = manifest->add_subcommand(
      "verify", "Check signed manifests: signature, completeness, and the ledger if it answers");
  const auto options = add_run<ManifestVerifyOptions>(command, invocation, run_verify);
  command->add_option("FILE", options->files, "Manifests that follow each other")->required();
  command
      ->add_option("--certificate",
                   options->certificate,
                   "PEM: whom to trust (default: [manifest] certificate)")
      ->type_name("PEM");
  command->add_flag("--offline", options->offline, "Do not ask the ledger");
  command->add_flag("--json", options->json, "Print JSON");
}

void add_import(CLI::App* manifest, Invocation& invocation) {
  CLI::App* command = manifest->add_subcommand(
      "import-report", "Book what somebody else registered: reports of a bulk task, or a CSV");
  const auto options = add_run<ManifestImportOptions>(command, invocation, run_import);
  command->add_option("FILE", options->files, "The reports")->required();
  command->add_option("--target", options->target, "Where it was registered")
      ->required()
      ->type_name("NAME");
  command
      ->add_option("--manifest",
                   options->manifest,
                   "The lines that AWS was given, for reports that name a line by its number")
      ->type_name("FILE");
  command->add_flag("--json", options->json, "Print JSON");
}

}  // namespace

void add_manifest_command(CLI::App& app, Invocation& invocation) {
  CLI::App* manifest =
      app.add_subcommand("manifest", "Lists of what was made, and reports of what became of it");
  manifest->require_subcommand(1);
  add_init(manifest, invocation);
  add_export(manifest, invocation);
  add_verify(manifest, invocation);
  add_import(manifest, invocation);
}

}  // namespace linesign
