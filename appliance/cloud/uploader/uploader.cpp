#include "appliance/cloud/uploader/uploader.h"

#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "appliance/cloud/targets/plan_check.h"
#include "appliance/cloud/uploader/account_commands.h"
#include "appliance/cloud/uploader/admin_outbox.h"
#include "appliance/cloud/uploader/former_cas.h"
#include "appliance/cloud/uploader/state_lock.h"
#include "appliance/cloud/uploader/target_setups.h"
#include "appliance/cloud/uploader/upload_run.h"
#include "protocol/base/progress_display.h"

namespace linesign {
namespace {

using What = UploaderCommand::What;

constexpr int kExitParked = 65;
constexpr int kExitLater = 75;

struct UploadCounts {
  uint64_t registered = 0;  // by this run, over all its targets
  uint64_t parked = 0;
  std::optional<uint64_t> waiting;  // absent: linesignd does not answer
  uint64_t throttled = 0;
};

Progress to_progress(const UploadCounts& counts) {
  Progress progress{.done = counts.registered + counts.parked, .left = counts.waiting};
  std::vector<std::string> notes;
  if (!counts.waiting) notes.emplace_back("linesignd does not answer");
  if (counts.parked > 0) notes.push_back(fmt::format("{} parked", counts.parked));
  if (counts.throttled > 0) notes.push_back(fmt::format("throttled {}×", counts.throttled));
  progress.note = fmt::format("{}", fmt::join(notes, "  "));
  return progress;
}

std::string hold_line(const std::string& target, const std::optional<Error>& hold) {
  return target + ": " + (hold ? "held up: " + hold->to_string() : "goes on");
}

bool is_one_of(const std::vector<TargetSetup>& setups, const std::string& name) {
  return std::any_of(
      setups.begin(), setups.end(), [&](const TargetSetup& each) { return each.name == name; });
}

// Null: linesignd was started without it.
const CloudTargetStatus* find_known(const std::vector<CloudTargetStatus>& all,
                                    const std::string& target) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const CloudTargetStatus& each) {
    return each.is_configured && each.target.name == target;
  });
  return found != all.end() ? &*found : nullptr;
}

std::string_view severity_of(DefaultOrderHere here) {
  switch (here) {
    case DefaultOrderHere::AsTheFileSays:
    case DefaultOrderHere::AddedByHand:
      return "ok";
    case DefaultOrderHere::StoppedByHand:
      return "warning";
    case DefaultOrderHere::NotKnownYet:
      break;
  }
  return "problem";
}

class Program final {
 public:
  Program(const Config& config, const UploaderSurroundings& around)
      : config_(config),
        around_(around),
        outbox_(AdminClient(config.admin.socket).cloud(), config.aws) {}

  Result<void> open(const std::vector<std::string>& targets) {
    SetupSources sources;
    sources.aws = config_.aws;
    sources.ca_certificate = config_.signer.ca_certificate;
    sources.profile = config_.signer.profile;
    sources.sign_command = {around_.linesign.string(),
                            "--config",
                            config_.file.string(),
                            "aws",
                            "sign-login",
                            "--target"};
    sources.environment = around_.environment;
    LS_TRY(setups_, make_setups(sources, targets));
    return {};
  }

  Result<int> serve() {
    if (setups_.empty()) {
      *around_.out << "no [[aws.target]] is configured: there is nothing to do\n";
      return 0;
    }
    LS_TRY(const StateLock lock, StateLock::take(config_.aws.state_dir));
    LS_TRY(const StopSignal stop, StopSignal::create());
    UploadParts parts = upload_parts(stop);
    parts.log = around_.log;
    parts.on_note = around_.on_note;
    parts.on_report = around_.on_report;
    LS_CHECK(run_upload(parts, RunMode::Serve));
    return 0;
  }

  Result<int> upload(RunMode mode) {
    if (setups_.empty()) return fail(ErrorCode::CloudTargetUnknown, "no [[aws.target]] at all");
    LS_TRY(const StateLock lock, StateLock::take(config_.aws.state_dir));
    LS_TRY(const StopSignal stop, StopSignal::create());
    warn_of_stopped();
    ProgressDisplay display(ProgressDisplay::mode_for(STDERR_FILENO), stderr);
    UploadCounts counts;
    UploadParts parts = upload_parts(stop);
    parts.log = [&display](const std::string& target, const std::optional<Error>& hold) {
      display.note(hold_line(target, hold));
    };
    parts.on_report = [&](const std::vector<TargetReport>& reports) {
      counts = count(reports);
      display.show(to_progress(counts), clock_.steady());
    };
    const auto done = run_upload(parts, mode);
    display.finish();
    if (!done.has_value()) return fail(done.error());
    return counts.parked > 0 ? kExitParked : 0;
  }

  // Each target, whatever became of the others; the first that is not well decides.
  Result<int> each_target(const UploaderCommand& command) {
    if (setups_.empty() && command.what != What::CheckConfig)
      return fail(ErrorCode::CloudTargetUnknown, "no [[aws.target]] at all");
    std::optional<Error> failure;
    int exit_code = 0;
    for (TargetSetup& setup : setups_) {
      const auto done = run_one(setup, command);
      if (!done.has_value()) {
        *around_.errors << error_line(setup.name, done.error()) << '\n';
        if (exit_code == 0) exit_code = done.error().exit_code();
      } else if (exit_code == 0) {
        exit_code = *done;
      }
    }
    return exit_code;
  }

  // Each target, whatever became of the others; the first failure decides.
  Result<int> revoke(const UploaderCommand& command) {
    std::vector<std::string> names;
    names.reserve(setups_.size());
    for (const TargetSetup& each : setups_) names.push_back(each.name);
    LS_TRY(const auto steps, plan_revocation(outbox_, command.revocation, names));
    int exit_code = 0;
    size_t there = 0;
    for (const RevocationStep& each : steps) {
      *around_.out << to_line(each, command.revocation.status) << '\n';
      there += each.is_there ? 1 : 0;
      if (!each.is_there) exit_code = kExitLater;
    }
    around_.out->flush();
    if (there == 0) {
      *around_.out << "nothing is registered in these targets\n";
      return exit_code;
    }
    if (!command.is_sure)
      LS_CHECK(around_.confirm(fmt::format(
          "{} certificate(s) become {}{}",
          there,
          aws::to_string(command.revocation.status),
          command.revocation.status == aws::CertificateStatus::Revoked ? ", which is final" : "")));
    for (TargetSetup& setup : setups_) {
      const int code = revoke_in(setup, steps, command.revocation.status);
      if (code != 0 && (exit_code == 0 || exit_code == kExitLater)) exit_code = code;
    }
    return exit_code;
  }

 private:
  // `connection`: made when it is wanted first.
  Result<std::string> revoke_one(TargetSetup& setup,
                                 std::unique_ptr<TargetConnection>& connection,
                                 const RevocationStep& step,
                                 aws::CertificateStatus status) {
    if (!connection) {
      LS_TRY(connection, connect(setup));
      LS_CHECK(connection->check_credentials());
    }
    LS_TRY(aws::IotClient iot, connection->session().iot());
    return linesign::revoke(iot, step, status);
  }

  // The exit code of the first step that failed.
  int revoke_in(TargetSetup& setup,
                const std::vector<RevocationStep>& steps,
                aws::CertificateStatus status) {
    int exit_code = 0;
    std::unique_ptr<TargetConnection> connection;
    for (const RevocationStep& each : steps) {
      if (each.target != setup.name || !each.is_there) continue;
      const auto done = revoke_one(setup, connection, each, status);
      if (done.has_value()) {
        *around_.out << *done << std::endl;
        continue;
      }
      *around_.errors << error_line(setup.name, done.error()) << '\n';
      if (exit_code == 0) exit_code = done.error().exit_code();
    }
    return exit_code;
  }

  Result<std::unique_ptr<TargetConnection>> connect(TargetSetup& setup) {
    LS_TRY(aws::SessionOptions options, setup.session_options());
    return TargetConnection::open(
        around_.environment, std::move(options), {limiter_, clock_, pause_});
  }

  UploadParts upload_parts(const StopSignal& stop) {
    UploadParts parts;
    parts.setups = &setups_;
    parts.outbox = &outbox_;
    parts.clock = &clock_;
    parts.stop = &stop;
    parts.state_dir = config_.aws.state_dir;
    parts.environment = around_.environment;
    return parts;
  }

  UploadCounts count(const std::vector<TargetReport>& reports) {
    UploadCounts counts;
    for (const TargetReport& each : reports) {
      counts.registered += each.progress.registered;
      counts.parked += each.progress.parked;
      counts.throttled += each.throttled;
    }
    const auto status = outbox_.status();
    if (!status.has_value()) return counts;
    counts.waiting = 0;
    for (const CloudTargetStatus& each : *status)
      if (is_one_of(setups_, each.target.name)) *counts.waiting += each.waiting + each.in_task;
    return counts;
  }

  // The CA may be registered before linesignd has heard of the target, and an account may be looked
  // at before there is a linesignd.
  Result<void> check_against_ledger(const TargetSetup& setup, What what) {
    if (what != What::Preflight && what != What::Reconcile) return {};
    auto known = check_target(outbox_, setup);
    const bool is_silent =
        !known.has_value() && known.error().code() == ErrorCode::AdminUnavailable;
    return is_silent && what == What::Preflight ? Result<void>() : known;
  }

  Result<int> run_one(TargetSetup& setup, const UploaderCommand& command) {
    if (command.what == What::CheckConfig && setup.way == WayKind::File) return 0;
    LS_CHECK(check_against_ledger(setup, command.what));
    if (command.what == What::Preflight && setup.way == WayKind::File) {
      LS_CHECK(check_export_dir(setup.file.export_dir));
      *around_.out << fmt::format("{}: ok: way file calls nothing of AWS\n", setup.name);
      return print_plan(setup.name) ? 0 : kExitConfiguration;
    }
    // There may be no credentials for it at all; who names it has some.
    if (command.what == What::Reconcile && setup.way == WayKind::File && command.targets.empty()) {
      *around_.out << fmt::format("{}: not compared: way file calls nothing of AWS\n", setup.name);
      return 0;
    }
    LS_CHECK(setup.read_files(setup));
    LS_TRY(const std::unique_ptr<TargetConnection> connection, connect(setup));
    AccountCommand account{&setup, connection.get(), &outbox_, around_.out};
    if (!command.ca.empty())
      LS_CHECK(choose_ca(outbox_, command.ca, command.what == What::RegisterCa, setup.ca));
    switch (command.what) {
      case What::CheckConfig:
        return 0;
      case What::RegistrationCode:
        return print_registration_code(account);
      case What::RegisterCa:
        setup.ca.may_change_mode = command.may_change_mode;
        return register_ca(account, command.proof);
      case What::DeactivateCa:
        return deactivate_ca(account);
      case What::DeleteCa:
        if (!command.force) LS_CHECK(check_not_needed(outbox_, config_.aws, setup));
        return delete_ca(account);
      case What::Reconcile:
        account.is_deep = command.deep;
        account.may_repair = command.repair;
        account.devices.insert(command.devices.begin(), command.devices.end());
        account.wait = [this](std::chrono::milliseconds time) { return pause_.wait(time); };
        return run_reconciliation(setup, account);
      default:
        LS_TRY(setup.former_cas, find_former_cas(outbox_, setup));
        LS_TRY(const int exit_code, print_preflight(account));
        return print_plan(setup.name) ? exit_code : kExitConfiguration;
    }
  }

  // False: linesignd must be restarted before the order "default" is registered here.
  bool print_plan(const std::string& target) {
    const auto status = outbox_.status();
    if (!status.has_value()) return true;
    const CloudTargetStatus* const known = find_known(*status, target);
    if (known == nullptr) return true;  // check_target() has seen it a moment ago
    const DefaultOrderHere here = default_order_at(config_.aws, *known);
    if (here == DefaultOrderHere::AsTheFileSays) return true;
    *around_.out << fmt::format(
        "{}: {}: {}\n", target, severity_of(here), to_sentence(here, target));
    return here != DefaultOrderHere::NotKnownYet;
  }

  // Of targets that would wait for devices in vain.
  void warn_of_stopped() {
    const auto status = outbox_.status();
    if (!status.has_value()) return;
    for (const TargetSetup& setup : setups_) {
      const CloudTargetStatus* const known = find_known(*status, setup.name);
      if (known == nullptr) continue;  // its first step says why
      const auto here = default_order_at(config_.aws, *known);
      if (here == DefaultOrderHere::NotKnownYet || here == DefaultOrderHere::StoppedByHand)
        *around_.errors << fmt::format(
            "{}: warning: {}\n", setup.name, to_sentence(here, setup.name));
    }
  }

  Result<int> run_reconciliation(TargetSetup& setup, AccountCommand& account) {
    LS_TRY(const std::vector<CloudTargetStatus> status, outbox_.status());
    for (const CloudTargetStatus& each : status) {
      if (each.target.name != setup.name) continue;
      // Also those whose feed has been stopped: what was registered before is still there.
      for (const CloudFeedStatus& feed : each.feeds) setup.orders.push_back(feed.order_id);
      account.certificates =
          each.waiting + each.in_task + each.registered + each.handed_over + each.parked;
    }
    ProgressDisplay display(ProgressDisplay::mode_for(STDERR_FILENO), stderr);
    account.on_progress = [&](const Progress& progress) {
      display.show(progress, clock_.steady());
    };
    account.before_line = [&] { display.clear(); };
    auto done = print_reconciliation(account);
    display.clear();
    return done;
  }

  const Config& config_;
  const UploaderSurroundings& around_;
  AdminOutbox outbox_;
  const SystemClock clock_;
  aws::StoppablePause pause_;
  aws::RateLimiter limiter_{clock_};
  std::vector<TargetSetup> setups_;
};

}  // namespace

Result<int> run_uploader(const Config& config,
                         const UploaderSurroundings& surroundings,
                         const UploaderCommand& command) {
  Program program(config, surroundings);
  LS_CHECK(program.open(command.targets));
  switch (command.what) {
    case What::Serve:
      return program.serve();
    case What::Upload:
      return program.upload(command.once ? RunMode::Once : RunMode::UntilIdle);
    case What::Revoke:
      return program.revoke(command);
    default:
      return program.each_target(command);
  }
}

}  // namespace linesign
