#include "appliance/cloud/uploader/account_commands.h"

#include <algorithm>

#include <fmt/format.h>

#include "appliance/cloud/registration/preflight.h"
#include "appliance/cloud/registration/provisioning_template.h"
#include "appliance/cloud/registration/reconcile.h"

namespace linesign {
namespace {

constexpr int kExitDifferent = 65;

std::string_view to_text(PreflightFinding::Severity severity) {
  switch (severity) {
    case PreflightFinding::Severity::Good:
      return "ok";
    case PreflightFinding::Severity::Warning:
      return "warning";
    case PreflightFinding::Severity::Problem:
      break;
  }
  return "problem";
}

Result<aws::IotClient> open_iot(const AccountCommand& command) {
  LS_CHECK(command.connection->check_credentials());
  return command.connection->session().iot();
}

// Of the template where the way has one. One that only AWS has may say anything.
bool may_be_inactive(const TargetSetup& setup) {
  switch (setup.way) {
    case WayKind::Direct:
      return setup.direct.status != aws::CertificateStatus::Active;
    case WayKind::Bulk:
      return may_leave_inactive(setup.bulk.template_body);
    case WayKind::Jit:
      return may_leave_inactive(setup.ca.config.template_body);
    case WayKind::File:
      break;
  }
  return true;
}

Result<int> print(const AccountCommand& command, const Result<CaOutcome>& outcome) {
  if (!outcome.has_value()) return fail(outcome.error());
  const std::string& name = command.setup->name;
  for (const std::string& each : outcome->done) *command.out << fmt::format("{}: {}\n", name, each);
  if (outcome->done.empty()) *command.out << fmt::format("{}: nothing to do\n", name);
  return 0;
}

}  // namespace

Result<int> print_registration_code(const AccountCommand& command) {
  LS_TRY(aws::IotClient iot, open_iot(command));
  LS_TRY(const auto known, CaRegistrar(iot).find(command.setup->ca.id));
  if (known && known->mode == command.setup->ca.mode) {
    *command.out << "registered\n";
    return 0;
  }
  LS_TRY(const std::string code, iot.registration_code());
  *command.out << code << '\n';
  return 0;
}

Result<int> register_ca(const AccountCommand& command, const std::string& proof) {
  LS_TRY(aws::IotClient iot, open_iot(command));
  const auto outcome = CaRegistrar(iot).ensure(command.setup->ca, proof);
  LS_TRY(const int code, print(command, outcome));
  const aws::CaDescription& now = outcome->now;
  *command.out << fmt::format("{}: {} {} {} auto-registration {}\n",
                              command.setup->name,
                              now.id,
                              aws::to_string(now.mode),
                              aws::to_string(now.status),
                              now.has_auto_registration ? "ENABLE" : "DISABLE");
  return code;
}

Result<int> deactivate_ca(const AccountCommand& command) {
  LS_TRY(aws::IotClient iot, open_iot(command));
  return print(command, CaRegistrar(iot).deactivate(command.setup->ca.id));
}

Result<int> delete_ca(const AccountCommand& command) {
  LS_TRY(aws::IotClient iot, open_iot(command));
  return print(command, CaRegistrar(iot).remove(command.setup->ca.id));
}

Result<int> print_preflight(const AccountCommand& command) {
  const auto findings = preflight(*command.setup, *command.connection);
  for (const PreflightFinding& each : findings)
    *command.out << fmt::format(
        "{}: {}: {}\n", command.setup->name, to_text(each.severity), each.text);
  return has_problem(findings) ? kExitConfiguration : 0;
}

Result<int> print_reconciliation(const AccountCommand& command) {
  LS_TRY(aws::IotClient iot, open_iot(command));
  const TargetSetup& setup = *command.setup;
  ReconcilePlan plan;
  plan.target = setup.name;
  plan.orders = setup.orders;
  plan.by_listing = setup.way != WayKind::Direct || !setup.direct.without_ca;
  plan.ca_id = setup.ca.id;
  plan.may_be_inactive = may_be_inactive(setup);
  const TakeDifference take = [&command](Difference, const std::string& line) {
    command.before_line();
    *command.out << command.setup->name << ": " << line << '\n';
  };
  // A listing sees each certificate twice: in the account, and in the ledger.
  const uint64_t total = command.certificates * (plan.by_listing ? 2 : 1);
  plan.on_progress = [&command, total](uint64_t done) {
    command.on_progress({.done = done, .left = total - std::min(done, total)});
  };
  LS_TRY(const ReconcileCounts counts, reconcile(*command.outbox, iot, plan, take));
  command.before_line();
  *command.out << fmt::format(
      "{}: {} the same, {} still to come, {} not in the account, {} not in the ledger, {} not "
      "booked, {} not active\n",
      setup.name,
      counts.same,
      counts.still_to_come,
      counts.not_in_account,
      counts.not_in_ledger,
      counts.not_booked,
      counts.not_active);
  return counts.differences() == 0 ? 0 : kExitDifferent;
}

}  // namespace linesign
