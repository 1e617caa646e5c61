// linesign aws status, parked, release, register: what linesignd knows of targets, and decides.
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

namespace linesign {
namespace {

constexpr uint32_t kMostListed = 10'000;

struct AwsStatusOptions {
  std::vector<std::string> targets;
  bool json = false;
  bool check = false;
};

struct ReleaseOptions {
  std::string target;
  uint32_t code = 0;
  uint64_t number = 0;
  std::string device;
};

struct RegisterOptions {
  std::string target;
  std::string order;
  bool stop = false;
};

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

Result<int> run_aws_status(const Invocation& invocation, const AwsStatusOptions& options) {
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
  return options.check ? aws_check_exit_code(status, activity, now) : 0;
}

// An error about this target: what linesignd does not know the file may.
tl::unexpected<Error> fail_at(const Config& config, const std::string& target, const Error& error) {
  return fail(explain_unknown_target(config.aws, target, error));
}

Result<std::vector<CloudRegistration>> list_parked(const Config& config,
                                                   const std::string& target) {
  const CloudClient cloud = AdminClient(config.admin.socket).cloud();
  std::vector<CloudRegistration> parked;
  uint64_t after = 0;
  for (bool is_end = false; !is_end && parked.size() < kMostListed;) {
    auto page = cloud.registrations(target, RegistrationState::Parked, after, kMaxCertificatePage);
    if (!page.has_value()) return fail_at(config, target, page.error());
    after = page->next_after;
    is_end = page->is_end;
    std::move(page->registrations.begin(), page->registrations.end(), std::back_inserter(parked));
  }
  return parked;
}

Result<int> run_parked(const Invocation& invocation, const AwsStatusOptions& options) {
  LS_TRY(const Config config, load_config(invocation.config));
  std::vector<std::string> targets = options.targets;
  if (targets.empty()) {
    LS_TRY(const auto status, AdminClient(config.admin.socket).cloud().status());
    for (const CloudTargetStatus& each : status)
      if (each.parked > 0) targets.push_back(each.target.name);
  }
  std::vector<ParkedDevices> parked;
  for (const std::string& target : targets) {
    LS_TRY(auto devices, list_parked(config, target));
    parked.push_back({target, std::move(devices)});
  }
  std::cout << (options.json ? parked_json(parked) + '\n' : parked_text(parked));
  return 0;
}

// Of one device, by its number or its id; of all orders that have it.
Result<uint64_t> release_device(const Config& config, const ReleaseOptions& options) {
  std::vector<uint64_t> numbers;
  if (options.number != 0) numbers.push_back(options.number);
  if (!options.device.empty()) {
    LS_TRY(const auto parked, list_parked(config, options.target));
    for (const CloudRegistration& each : parked)
      if (each.device_id == options.device) numbers.push_back(each.issuance_id);
  }
  uint64_t released = 0;
  for (const uint64_t number : numbers) {
    const auto one = AdminClient(config.admin.socket).cloud().release_one(options.target, number);
    if (!one.has_value()) return fail_at(config, options.target, one.error());
    released += *one;
  }
  return released;
}

Result<uint64_t> release_all(const Config& config, const ReleaseOptions& options) {
  const auto code = options.code != 0 ? std::optional(options.code) : std::nullopt;
  const auto released = AdminClient(config.admin.socket).cloud().release_all(options.target, code);
  if (!released.has_value()) return fail_at(config, options.target, released.error());
  return *released;
}

Result<int> run_release(const Invocation& invocation, const ReleaseOptions& options) {
  LS_TRY(const Config config, load_config(invocation.config));
  const bool is_one = options.number != 0 || !options.device.empty();
  LS_TRY(const uint64_t released,
         is_one ? release_device(config, options) : release_all(config, options));
  if (released > 0) {
    std::cout << fmt::format("{}: {} wait again\n", options.target, count_text(released));
    return 0;
  }
  std::string which;
  if (options.code != 0) which = fmt::format(" for error {}", options.code);
  if (!options.device.empty()) which = " of device " + options.device;
  if (options.number != 0) which = fmt::format(" with number {}", options.number);
  std::cout << options.target << ": nothing is parked" << which << '\n';
  return 0;
}

Result<int> run_register(const Invocation& invocation, const RegisterOptions& options) {
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

}  // namespace

void add_aws_ledger_commands(CLI::App& aws, Invocation& invocation) {
  CLI::App* status = aws.add_subcommand("status", "What is registered, waiting, parked, and why");
  const auto status_options = add_run<AwsStatusOptions>(status, invocation, run_aws_status);
  add_targets(status, status_options->targets);
  status->add_flag("--json", status_options->json, "Print JSON");
  status->add_flag("--check",
                   status_options->check,
                   "For monitors: exit code 65 if devices failed, 75 if a target is blocked");

  CLI::App* parked = aws.add_subcommand("parked", "List the devices that a person must look at");
  const auto parked_options = add_run<AwsStatusOptions>(parked, invocation, run_parked);
  add_targets(parked, parked_options->targets);
  parked->add_flag("--json", parked_options->json, "Print JSON");

  CLI::App* release = aws.add_subcommand("release", "Parked devices wait again, after the repair");
  const auto release_options = add_run<ReleaseOptions>(release, invocation, run_release);
  add_target(release, release_options->target);
  CLI::Option* code =
      release
          ->add_option("--code", release_options->code, "Only those failed with this error number")
          ->type_name("NUMBER");
  CLI::Option* device =
      release->add_option("--device", release_options->device, "Only this device")->type_name("ID");
  CLI::Option* number =
      release->add_option("--number", release_options->number, "Only the one with this number")
          ->check(CLI::PositiveNumber)
          ->type_name("NUMBER");
  code->excludes(device)->excludes(number);
  device->excludes(number);

  CLI::App* add = aws.add_subcommand(
      "register", "Register the devices of an order in one more target, those made before too");
  const auto add_options = add_run<RegisterOptions>(add, invocation, run_register);
  add->add_option("--order", add_options->order, "The order")->required()->type_name("ORDER");
  add_target(add, add_options->target);
  add->add_flag("--stop", add_options->stop, "No longer");
}

}  // namespace linesign
