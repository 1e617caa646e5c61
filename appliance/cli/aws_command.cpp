// linesign aws: registering with AWS. What needs AWS credentials is done by linesign-uploader,
// which this program starts; what needs the CA key, or linesignd, is done here.
#include <algorithm>
#include <iostream>
#include <string>

#include <fmt/format.h>

#include "appliance/admin/client/cloud_client.h"
#include "appliance/cli/aws_ca_command.h"
#include "appliance/cli/aws_text.h"
#include "appliance/cli/invocation.h"
#include "appliance/cli/status_text.h"
#include "appliance/cloud/targets/plan_check.h"
#include "appliance/config/config.h"
#include "hsm/ceremony/token_signature.h"
#include "protocol/base/bytes.h"

namespace linesign {
namespace {

constexpr uint32_t kMostListed = 10'000;

struct TargetsOptions {
  std::vector<std::string> targets;
  std::string order;
  bool once = false;
  bool json = false;
};

struct ReconcileOptions {
  std::vector<std::string> targets;
  std::vector<std::string> devices;
  bool is_deep = false;
  bool may_repair = false;
  bool is_sure = false;
};

struct OneTargetOptions {
  std::string target;
  std::string order;
  std::string digest;
  uint32_t code = 0;
  bool stop = false;
  bool json = false;
};

// The targets of an order: as linesignd has it, or, where it does not run, the configuration.
Result<std::vector<std::string>> targets_of(const Config& config, const std::string& order) {
  std::vector<std::string> names;
  const auto status = AdminClient(config.admin.socket).cloud().status();
  if (!status.has_value() && order == kDefaultOrder) return config.aws.targets_of_default_order;
  if (!status.has_value()) return fail(status.error());
  for (const CloudTargetStatus& each : *status)
    for (const CloudFeedStatus& feed : each.feeds)
      if (feed.order_id == order && feed.is_active) names.push_back(each.target.name);
  // What the file says and linesignd does not do: the uploader tells why.
  if (order == kDefaultOrder)
    for (const std::string& each : config.aws.targets_of_default_order)
      if (std::find(names.begin(), names.end(), each) == names.end()) names.push_back(each);
  if (names.empty()) return fail(ErrorCode::OrderUnknown, order + " goes to no target");
  return names;
}

Result<int> run_preflight(const Invocation& invocation, const TargetsOptions& options) {
  std::vector<std::string> targets = options.targets;
  if (!options.order.empty()) {
    LS_TRY(const Config config, load_config(invocation.config));
    LS_TRY(targets, targets_of(config, options.order));
  }
  return become(invocation, with_targets({"preflight"}, targets));
}

Result<int> run_reconcile(const Invocation& invocation, const ReconcileOptions& options) {
  std::vector<std::string> words = with_targets({"reconcile"}, options.targets);
  if (options.is_deep) words.emplace_back("--deep");
  if (options.may_repair) {
    LS_CHECK(confirm(options.is_sure,
                     "What the ledger calls registered and the account lacks is registered again, "
                     "also what somebody deleted on purpose"));
    words.emplace_back("--repair");
  }
  for (const std::string& each : options.devices) words.insert(words.end(), {"--device", each});
  return become(invocation, words);
}

Result<int> run_upload(const Invocation& invocation, const TargetsOptions& options) {
  std::vector<std::string> words = with_targets({"upload"}, options.targets);
  if (options.once) words.emplace_back("--once");
  return become(invocation, words);
}

// What linesign-uploader starts when a target's key for Roles Anywhere is in a token.
Result<int> run_sign_login(const Invocation& invocation, const OneTargetOptions& options) {
  LS_TRY(const Config config, load_config(invocation.config));
  const TargetConfig* const target = config.aws.find(options.target);
  if (target == nullptr || !target->credentials.roles_anywhere ||
      target->credentials.roles_anywhere->key_uri.empty())
    return fail(ErrorCode::CloudTargetUnknown, options.target + " has no key in a token");
  const auto digest = from_hex(options.digest);
  Sha256 hash{};
  if (!digest || digest->size() != hash.size())
    return fail(ErrorCode::Usage, "a digest has 64 hex digits");
  std::copy(digest->begin(), digest->end(), hash.begin());
  const RolesAnywhereConfig& roles = *target->credentials.roles_anywhere;
  LS_TRY(const Bytes signature,
         sign_with_token(config.signer, {roles.key_uri, roles.pin_file, roles.certificate}, hash));
  std::cout << to_hex(signature) << '\n';
  return 0;
}

// --- what linesignd knows ------------------------------------------------------------------------

Result<std::set<std::string, std::less<>>> find_without_task(
    const Config& config, const std::vector<CloudTargetStatus>& targets) {
  std::set<std::string, std::less<>> names;
  for (const CloudTargetStatus& each : targets) {
    if (each.in_task == 0) continue;
    LS_TRY(const std::vector<BulkTask> tasks,
           AdminClient(config.admin.socket).cloud().open_tasks(each.target.name));
    const bool has_begun = std::any_of(tasks.begin(), tasks.end(), [](const BulkTask& task) {
      return task.state >= BulkTaskState::Started;
    });
    if (!has_begun) names.insert(each.target.name);
  }
  return names;
}

Result<int> run_aws_status(const Invocation& invocation, const TargetsOptions& options) {
  LS_TRY(const Config config, load_config(invocation.config));
  AwsStatus status;
  LS_TRY(status.targets, AdminClient(config.admin.socket).cloud().status());
  status.not_known_yet = targets_not_known_yet(config.aws, status.targets);
  const std::vector<std::string>& wanted = options.targets;
  const auto is_unwanted = [&](const std::string& name) {
    return !wanted.empty() && std::find(wanted.begin(), wanted.end(), name) == wanted.end();
  };
  std::erase_if(status.targets,
                [&](const CloudTargetStatus& each) { return is_unwanted(each.target.name); });
  std::erase_if(status.not_known_yet, is_unwanted);
  if (status.targets.empty() && status.not_known_yet.empty() && !wanted.empty())
    return fail(ErrorCode::CloudTargetUnknown, wanted.front());
  LS_TRY(status.without_task, find_without_task(config, status.targets));
  const auto activity = read_activity(config.aws.state_dir);
  const UnixTime now = SystemClock().now();
  if (options.json) {
    std::cout << aws_status_json(status, activity, now) << '\n';
  } else {
    std::cout << aws_status_text(status, activity, now);
  }
  return 0;
}

// An error about this target: what linesignd does not know the file may.
tl::unexpected<Error> fail_at(const Config& config, const std::string& target, const Error& error) {
  return fail(explain_unknown_target(config.aws, target, error));
}

Result<int> run_parked(const Invocation& invocation, const OneTargetOptions& options) {
  LS_TRY(const Config config, load_config(invocation.config));
  const CloudClient cloud = AdminClient(config.admin.socket).cloud();
  std::vector<CloudRegistration> parked;
  uint64_t after = 0;
  for (bool is_end = false; !is_end && parked.size() < kMostListed;) {
    auto page =
        cloud.registrations(options.target, RegistrationState::Parked, after, kMaxCertificatePage);
    if (!page.has_value()) return fail_at(config, options.target, page.error());
    after = page->next_after;
    is_end = page->is_end;
    std::move(page->registrations.begin(), page->registrations.end(), std::back_inserter(parked));
  }
  std::cout << (options.json ? parked_json(parked) + '\n' : parked_text(parked));
  return 0;
}

Result<int> run_release(const Invocation& invocation, const OneTargetOptions& options) {
  LS_TRY(const Config config, load_config(invocation.config));
  const auto code = options.code != 0 ? std::optional(options.code) : std::nullopt;
  const auto released = AdminClient(config.admin.socket).cloud().release_all(options.target, code);
  if (!released.has_value()) return fail_at(config, options.target, released.error());
  if (*released == 0) {
    std::cout << options.target << ": nothing is parked"
              << (code ? fmt::format(" for error {}", *code) : std::string()) << '\n';
    return 0;
  }
  std::cout << fmt::format("{}: {} wait again\n", options.target, count_text(*released));
  return 0;
}

Result<int> run_register(const Invocation& invocation, const OneTargetOptions& options) {
  LS_TRY(const Config config, load_config(invocation.config));
  const auto set = AdminClient(config.admin.socket)
                       .cloud()
                       .set_feed({options.order, options.target}, !options.stop);
  if (!set.has_value()) return fail_at(config, options.target, set.error());
  std::cout << options.target << ": "
            << (options.stop
                    ? "devices of this order are no longer registered here\n"
                    : "every device of this order will be registered here, from the first\n");
  return 0;
}

// --- the command line ----------------------------------------------------------------------------

void add_sign_command(CLI::App* aws, Invocation& invocation) {
  CLI::App* sign = aws->add_subcommand("sign-login", "Sign for IAM Roles Anywhere");
  const auto sign_options = add_run<OneTargetOptions>(sign, invocation, run_sign_login);
  sign->group("");  // for linesign-uploader
  add_target(sign, sign_options->target);
  sign->add_option("DIGEST", sign_options->digest, "SHA-256, in hex")->required();
}

void add_work_commands(CLI::App* aws, Invocation& invocation) {
  CLI::App* preflight =
      aws->add_subcommand("preflight", "Would devices get through? Changes nothing");
  const auto preflight_options = add_run<TargetsOptions>(preflight, invocation, run_preflight);
  add_targets(preflight, preflight_options->targets);
  preflight->add_option("--order", preflight_options->order, "The targets of this order")
      ->excludes("--target")
      ->type_name("ORDER");

  CLI::App* upload = aws->add_subcommand(
      "upload", "Register what waits, then end: where linesign-uploader is not a service");
  const auto upload_options = add_run<TargetsOptions>(upload, invocation, run_upload);
  add_targets(upload, upload_options->targets);
  upload->add_flag(
      "--once", upload_options->once, "End at the first obstacle instead of waiting for its end");

  CLI::App* reconcile = aws->add_subcommand(
      "reconcile", "Compare the ledger with the AWS account; exit code 65 if they differ");
  const auto reconcile_options = add_run<ReconcileOptions>(reconcile, invocation, run_reconcile);
  add_targets(reconcile, reconcile_options->targets);
  reconcile->add_flag("--deep",
                      reconcile_options->is_deep,
                      "Compare things and policies too: two calls for each device");
  reconcile->add_flag("--repair",
                      reconcile_options->may_repair,
                      "Register again what the account lacks; method direct only");
  reconcile
      ->add_option("--device",
                   reconcile_options->devices,
                   "Look closely at, or repair, this device only; may be repeated")
      ->type_name("ID");
  add_sure(reconcile, reconcile_options->is_sure);
}

void add_ledger_commands(CLI::App* aws, Invocation& invocation) {
  CLI::App* status = aws->add_subcommand("status", "What is registered, waiting, parked, and why");
  const auto status_options = add_run<TargetsOptions>(status, invocation, run_aws_status);
  add_targets(status, status_options->targets);
  status->add_flag("--json", status_options->json, "Print JSON");

  CLI::App* parked = aws->add_subcommand("parked", "List the devices that a person must look at");
  const auto parked_options = add_run<OneTargetOptions>(parked, invocation, run_parked);
  add_target(parked, parked_options->target);
  parked->add_flag("--json", parked_options->json, "Print JSON");

  CLI::App* release = aws->add_subcommand("release", "Parked devices wait again, after the repair");
  const auto release_options = add_run<OneTargetOptions>(release, invocation, run_release);
  add_target(release, release_options->target);
  release->add_option("--code", release_options->code, "Only those parked for this error number")
      ->type_name("NUMBER");

  CLI::App* add = aws->add_subcommand(
      "register", "Register the devices of an order in one more target, those made before too");
  const auto add_options = add_run<OneTargetOptions>(add, invocation, run_register);
  add->add_option("--order", add_options->order, "The order")->required()->type_name("ORDER");
  add_target(add, add_options->target);
  add->add_flag("--stop", add_options->stop, "No longer");
}

}  // namespace

void add_aws_command(CLI::App& app, Invocation& invocation) {
  CLI::App* aws = app.add_subcommand("aws", "Register devices with AWS IoT");
  aws->require_subcommand(1);
  add_aws_ca_commands(*aws, invocation);
  add_sign_command(aws, invocation);
  add_work_commands(aws, invocation);
  add_ledger_commands(aws, invocation);
}

}  // namespace linesign
