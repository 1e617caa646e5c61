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

// Whoever is stopped half-way has seen what was done until then.
TellStep tell_to(const AccountCommand& command) {
  return [&command](const std::string& step) {
    *command.out << fmt::format("{}: {}\n", command.setup->name, step) << std::flush;
  };
}

// What the account has now, whatever was done or failed.
void print_ca_now(const AccountCommand& command, aws::IotClient& iot) {
  const CaWish& wish = command.setup->ca;
  const auto known = CaRegistrar(iot).find(wish.id);
  std::string now;
  if (!known.has_value()) {
    now = fmt::format("whether the account has the CA {} now cannot be seen: {}",
                      wish.id,
                      known.error().to_string());
  } else if (!*known) {
    now = fmt::format("the account does not have the CA {} now", wish.id);
  } else {
    const aws::CaDescription& ca = **known;
    now = fmt::format("the account has the CA {} now: {} {} auto-registration {}{}",
                      ca.id,
                      aws::to_string(ca.mode),
                      aws::to_string(ca.status),
                      ca.has_auto_registration ? "ENABLE" : "DISABLE",
                      ca.has_auto_registration && !wish.auto_registration
                          ? " (this target does not need it and leaves it as it is)"
                          : "");
  }
  *command.out << fmt::format("{}: {}\n", command.setup->name, now) << std::flush;
}

Result<int> end_of(const AccountCommand& command,
                   aws::IotClient& iot,
                   const Result<CaOutcome>& outcome) {
  if (outcome.has_value() && outcome->done.empty())
    *command.out << fmt::format("{}: nothing to do\n", command.setup->name);
  print_ca_now(command, iot);
  if (!outcome.has_value()) return fail(outcome.error());
  return 0;
}

Error outcome_of(const DeviceOutcome& outcome) {
  if (outcome.hold) return *outcome.hold;
  return Error(find_error_code(outcome.booking.code).value_or(ErrorCode::AwsRefused),
               outcome.booking.reason);
}

// What else than certificates is compared, and whether the account is made as the ledger says.
Result<void> set_closer_look(const AccountCommand& command, ReconcilePlan& plan) {
  const TargetSetup& setup = *command.setup;
  plan.devices = command.devices;
  const bool has_things = setup.way == WayKind::Direct || setup.way == WayKind::Bulk;
  if (command.is_deep && !has_things)
    return fail(ErrorCode::Usage,
                "--deep: the things of this registration method are not linesign's to name");
  if (command.is_deep) {
    const bool is_direct = setup.way == WayKind::Direct;
    plan.closer_look = CloserLook{setup.account,
                                  setup.region,
                                  is_direct ? setup.direct.thing_name : setup.bulk.thing_name,
                                  is_direct ? setup.direct.policy : std::string()};
  }
  if (!command.may_repair) return {};
  if (setup.way != WayKind::Direct)
    return fail(ErrorCode::Usage,
                "--repair registers by way direct only; of other targets export the devices and "
                "give them to a bulk task: docs/aws.md");
  LS_TRY(aws::IotClient iot, command.connection->session().iot());
  const auto registrar = std::make_shared<DirectRegistrar>(std::move(iot), setup.direct);
  plan.repair = [registrar](const CloudItem& item) -> Result<void> {
    const DeviceOutcome outcome = registrar->run(item);
    if (outcome.booking.state == RegistrationState::Registered) return {};
    return fail(outcome_of(outcome));
  };
  return {};
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
  return end_of(command, iot, CaRegistrar(iot, tell_to(command)).ensure(command.setup->ca, proof));
}

Result<int> deactivate_ca(const AccountCommand& command) {
  LS_TRY(aws::IotClient iot, open_iot(command));
  return end_of(command, iot, CaRegistrar(iot, tell_to(command)).deactivate(command.setup->ca.id));
}

Result<int> delete_ca(const AccountCommand& command) {
  LS_TRY(aws::IotClient iot, open_iot(command));
  return end_of(command, iot, CaRegistrar(iot, tell_to(command)).remove(command.setup->ca.id));
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
  plan.may_be_inactive = may_be_inactive(setup);
  plan.wait = command.wait;
  LS_CHECK(set_closer_look(command, plan));
  const TakeDifference take = [&command](Difference, const std::string& line) {
    command.before_line();
    *command.out << command.setup->name << ": " << line << '\n';
  };
  // A listing sees each certificate twice: in the account, and in the ledger.
  const uint64_t looks = command.is_deep ? command.certificates : 0;
  const uint64_t total = command.certificates * (plan.by_listing ? 2 : 1) + looks;
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
  if (plan.closer_look)
    *command.out << fmt::format(
        "{}: {} looked at closely: {} without their thing, {} without their policy, {} that share "
        "their thing\n",
        setup.name,
        counts.looked_closer,
        counts.without_thing,
        counts.without_policy,
        counts.with_other_certificate);
  if (plan.repair)
    *command.out << fmt::format("{}: {} registered again\n", setup.name, counts.repaired);
  return counts.differences() == 0 ? 0 : kExitDifferent;
}

}  // namespace linesign
