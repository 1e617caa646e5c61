// request: certificates for one device, a folder of CSRs, or a lot that is made here.
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <iostream>

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>
#include <fmt/format.h>

#include "protocol/base/file.h"
#include "stations/client/command_line.h"
#include "stations/client/lot_display.h"
#include "stations/client/lot_runner.h"

namespace linesign::client {
namespace {

// SIGINT and SIGTERM as a descriptor that becomes readable. REQUIRES: no other thread runs yet, so
// that all threads inherit the mask.
Result<UniqueFd> catch_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGINT);
  ::sigaddset(&signals, SIGTERM);
  const int error_number = ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  if (error_number != 0) return fail(ErrorCode::Internal, errno_text(error_number));
  UniqueFd fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return fail(ErrorCode::Internal, "signalfd: " + errno_text(errno));
  return fd;
}

// The folders of a run and the source that works on them.
struct Lot {
  std::optional<LotFolder> out;
  std::optional<LotFolder> keys;
  std::unique_ptr<LotSource> source;
};

Result<void> check_generated_ids(const GeneratePlan& plan) {
  for (const uint64_t index : {uint64_t{0}, plan.count - 1}) {
    const auto checked = check_device_id(generated_device_id(plan, index));
    if (!checked.has_value())
      return fail(ErrorCode::Usage,
                  generated_device_id(plan, index) + ": " + checked.error().to_string());
  }
  return {};
}

Result<void> open_generated(Lot& lot,
                            const RequestCommand& command,
                            const StationCredential& credential) {
  GeneratePlan plan;
  plan.count = command.generate;
  plan.first = command.first;
  plan.prefix = command.device_prefix.empty() ? credential.station + "-" : command.device_prefix;
  plan.kind = command.key_kind;
  plan.order_id = command.order;
  LS_CHECK(check_generated_ids(plan));
  LS_TRY(lot.keys, LotFolder::open(command.keys, 0700));
  lot.source = make_generating_source(std::move(plan), *lot.out, *lot.keys);
  return {};
}

Result<void> open_files(Lot& lot, const RequestCommand& command) {
  CsrFilesPlan plan;
  plan.order_id = command.order;
  plan.device_id = command.device_id;
  plan.device_id_from = command.device_id_from;
  if (!command.csr.empty()) {
    plan.files.push_back(command.csr);
  } else {
    LS_TRY(plan.files, list_csr_files(command.csr_dir));
    if (plan.files.empty())
      return fail(ErrorCode::InputInvalid,
                  command.csr_dir.string() + ": no CSR file in this folder");
  }
  lot.source = make_csr_source(std::move(plan), *lot.out);
  return {};
}

Result<std::unique_ptr<Lot>> open_lot(const RequestCommand& command,
                                      const StationCredential& credential) {
  auto lot = std::make_unique<Lot>();
  LS_TRY(lot->out, LotFolder::open(command.out, 0755));
  if (command.generate > 0)
    LS_CHECK(open_generated(*lot, command, credential));
  else
    LS_CHECK(open_files(*lot, command));
  return lot;
}

ProgressDisplay::Mode display_mode(const RequestCommand& command) {
  if (command.quiet) return ProgressDisplay::Mode::Quiet;
  return ProgressDisplay::mode_for(STDERR_FILENO);
}

std::string first_words(const LotOutcome& outcome) {
  return outcome.device_id.empty() ? outcome.origin : outcome.device_id;
}

std::string first_names(const std::vector<LotOutcome>& outcomes, uint64_t count) {
  constexpr size_t kMaxShown = 10;
  std::string names;
  for (size_t i = 0; i < std::min(outcomes.size(), kMaxShown); ++i)
    names += (i == 0 ? "" : ", ") + outcomes[i].device_id;
  if (count > kMaxShown) names += fmt::format(" and {} more", grouped(count - kMaxShown));
  return names;
}

void print_not_stored(const LotResult& result) {
  const uint64_t count = result.progress.not_stored;
  if (count == 0) return;
  fmt::print(
      "{} issued but not stored: {}\n    {}\n"
      "    Run the same command again to fetch these certificates.\n",
      grouped(count),
      first_names(result.not_stored, count),
      result.not_stored.front().error.value_or(Error(ErrorCode::Io)).to_string());
}

void print_refusals(const LotResult& result, const RequestCommand& command) {
  for (const auto& [code, group] : result.refusals) {
    fmt::print("refused {}: {}\n    for example {}: {}\n",
               grouped(group.count),
               error_info(code).name,
               first_words(group.example),
               group.example.error->to_string());
  }
  const bool may_share_names = result.refusals.contains(ErrorCode::DeviceExists) ||
                               result.refusals.contains(ErrorCode::FileExists);
  if (!command.csr_dir.empty() && command.device_id_from == DeviceIdFrom::Any && may_share_names)
    fmt::print(
        "If these CSRs have the same common name, take the device ids from the file names: "
        "--device-id-from file-name\n");
}

void print_file_names(const LotFolder& out) {
  const auto example = out.names().example();
  if (example)
    fmt::print(
        "The file system of {} cannot hold every device id as a file name; file names are "
        "percent-encoded where needed: {} is in {}.pem\n",
        out.directory().string(),
        example->device_id,
        example->stem);
}

void print_summary(const LotResult& result, const Lot& lot, const RequestCommand& command) {
  const LotProgress& done = result.progress;
  fmt::print("{} issued, {} already there, {} refused, of {}; {:.1f} s, {} per second.\n",
             grouped(done.issued),
             grouped(done.already_there),
             grouped(done.refused),
             grouped(done.total),
             result.elapsed.count(),
             grouped(static_cast<uint64_t>(static_cast<double>(done.issued) /
                                           std::max(result.elapsed.count(), 0.001))));
  print_refusals(result, command);
  print_not_stored(result);
  if (done.issued + done.already_there > 0)
    fmt::print("The certificates are in {}\n", command.out.string());
  print_file_names(*lot.out);
  if (lot.keys && !lot.keys->keeps_secrets())
    fmt::print(stderr,
               "linesign-station: {}: other users can read the private keys: this file system "
               "keeps no permissions.\n",
               lot.keys->directory().string());
}

Poco::JSON::Object describe(const Error& error) {
  Poco::JSON::Object object(Poco::JSON_PRESERVE_KEY_ORDER);
  object.set("code", static_cast<int>(error.code()));
  object.set("name", std::string(error_info(error.code()).name));
  object.set("message", error.to_string());
  return object;
}

Poco::JSON::Array list_not_stored(const LotResult& result) {
  Poco::JSON::Array list;
  for (const LotOutcome& outcome : result.not_stored) {
    Poco::JSON::Object entry = describe(outcome.error.value_or(Error(ErrorCode::Io)));
    entry.set("device", outcome.device_id);
    list.add(entry);
  }
  return list;
}

void print_json(const LotResult& result, const Lot& lot, const RequestCommand& command) {
  Poco::JSON::Object object(Poco::JSON_PRESERVE_KEY_ORDER);
  object.set("complete", !result.stopped_by && result.exit_code() == 0);
  object.set("total", result.progress.total);
  object.set("issued", result.progress.issued);
  object.set("already_there", result.progress.already_there);
  object.set("refused", result.progress.refused);
  object.set("not_stored", result.progress.not_stored);
  object.set("seconds", result.elapsed.count());
  object.set("per_second",
             static_cast<double>(result.progress.issued) / std::max(result.elapsed.count(), 0.001));
  object.set("out", command.out.string());
  if (!command.keys.empty()) object.set("keys", command.keys.string());
  Poco::JSON::Array refusals;
  for (const auto& [code, group] : result.refusals) {
    Poco::JSON::Object entry = describe(*group.example.error);
    entry.set("count", group.count);
    entry.set("device", group.example.device_id);
    entry.set("source", group.example.origin);
    refusals.add(entry);
  }
  object.set("refusals", refusals);
  object.set("fetch_again", list_not_stored(result));
  object.set("encoded_names", lot.out->names().example().has_value());
  if (result.stopped_by) object.set("stopped_by", describe(*result.stopped_by));
  object.stringify(std::cout);
  std::cout << std::endl;
}

void explain_stop(const LotResult& result) {
  if (!result.stopped_by) return;
  const bool may_go_on = result.stopped_by->kind() == ErrorKind::Retry || result.gave_up;
  fmt::print(stderr,
             "linesign-station: {}{}\n{}",
             result.gave_up ? "gave up waiting: " : "",
             result.stopped_by->to_string(),
             may_go_on ? "Run the same command again to continue; nothing is issued twice.\n" : "");
}

}  // namespace

int run(const RequestCommand& command) {
  const auto credential = StationCredential::load(command.directory);
  if (!credential.has_value()) return report_error(credential.error(), command.json);
  const auto signals = catch_signals();
  if (!signals.has_value()) return report_error(signals.error(), command.json);
  const auto lot = open_lot(command, *credential);
  if (!lot.has_value()) return report_error(lot.error(), command.json);
  auto display = LotDisplay::open(display_mode(command), command.report, stderr);
  if (!display.has_value()) return report_error(display.error(), command.json);

  LotOptions options;
  options.client.address = command.address;
  options.client.software = station_software();
  options.client.cancel_descriptor = signals->get();
  options.window = command.window;
  options.threads = command.threads;
  options.give_up = command.timeout;
  LotRunner runner(*credential, *(*lot)->source, *(*lot)->out, options, **display);
  const LotResult result = runner.run();

  const auto reported = (*display)->finish();
  if (command.json)
    print_json(result, **lot, command);
  else if (!command.quiet)
    print_summary(result, **lot, command);
  explain_stop(result);
  if (!reported.has_value()) return report_error(reported.error(), false);
  return result.exit_code();
}

}  // namespace linesign::client
