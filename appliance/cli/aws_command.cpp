// linesign aws: registering with AWS. What needs AWS credentials is done by linesign-uploader,
// which this program starts; what needs the CA key, or linesignd, is done here.
#include <algorithm>
#include <iostream>
#include <string>

#include <fmt/format.h>

#include "appliance/admin/client/cloud_client.h"
#include "appliance/cli/aws_ca_command.h"
#include "appliance/cli/invocation.h"
#include "appliance/cloud/targets/plan_check.h"
#include "appliance/config/config.h"
#include "hsm/ceremony/token_signature.h"
#include "protocol/base/bytes.h"

namespace linesign {
namespace {

struct TargetsOptions {
  std::vector<std::string> targets;
  std::string order;
  bool once = false;
};

struct ReconcileOptions {
  std::vector<std::string> targets;
  std::vector<std::string> devices;
  bool is_deep = false;
  bool may_repair = false;
  bool is_sure = false;
};

struct RevokeOptions {
  std::vector<std::string> targets;
  std::string device;
  std::string serial;
  std::string status = "INACTIVE";
  bool is_sure = false;
};

struct OneTargetOptions {
  std::string target;
  std::string digest;
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

Result<int> run_revoke(const Invocation& invocation, const RevokeOptions& options) {
  if (options.device.empty() == options.serial.empty())
    return fail(ErrorCode::Usage, "name a device, or a certificate with --serial");
  std::vector<std::string> words =
      with_targets({"revoke", "--status", options.status}, options.targets);
  if (!options.serial.empty()) words.insert(words.end(), {"--serial", options.serial});
  if (options.is_sure) words.emplace_back("--yes");
  if (!options.device.empty()) words.insert(words.end(), {"--", options.device});
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
  const TokenSignatureRequest request{.key_uri = roles.key_uri,
                                      .pin_file = roles.pin_file,
                                      .certificate = roles.certificate,
                                      .own_memory = config.aws.state_dir / "pin-memory"};
  LS_TRY(const Bytes signature, sign_with_token(config.signer, request, hash));
  std::cout << to_hex(signature) << '\n';
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

  CLI::App* revoke = aws->add_subcommand(
      "revoke", "Set the certificates of a device INACTIVE or REVOKED in every target");
  const auto revoke_options = add_run<RevokeOptions>(revoke, invocation, run_revoke);
  add_targets(revoke, revoke_options->targets);
  CLI::Option* device = revoke->add_option("DEVICE", revoke_options->device, "The device's id");
  revoke->add_option("--serial", revoke_options->serial, "Only the certificate with this serial")
      ->excludes(device)
      ->type_name("HEX");
  revoke->add_option("--status", revoke_options->status, "INACTIVE can be undone, REVOKED cannot")
      ->check(CLI::IsMember({"INACTIVE", "REVOKED"}))
      ->capture_default_str();
  add_sure(revoke, revoke_options->is_sure);
}

}  // namespace

void add_aws_command(CLI::App& app, Invocation& invocation) {
  CLI::App* aws = app.add_subcommand("aws", "Register devices with AWS IoT");
  aws->require_subcommand(1);
  add_aws_ca_commands(*aws, invocation);
  add_sign_command(aws, invocation);
  add_work_commands(aws, invocation);
  add_aws_ledger_commands(*aws, invocation);
}

}  // namespace linesign
