// linesign-signer --config FILE --fd N: one login to the HSM, started and replaced by linesignd.
// linesign-signer --launcher ...: starts the others under the user that [hsm] names.
//
// It reads its own settings, gives up every privilege, logs in, proves the key, confines itself,
// says Ready over the socket and then answers batches until the socket closes. It ends with _exit
// as soon as something is wrong that a new process would not have: threads may be inside the
// PKCS#11 module.
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <sysexits.h>

#include "hsm/pkcs11/key_proof.h"
#include "hsm/pkcs11/pin_file.h"
#include "hsm/pkcs11/pin_memory.h"
#include "hsm/signer/batch_loop.h"
#include "hsm/signer/confinement.h"
#include "hsm/signer/hardening.h"
#include "hsm/signer/launcher.h"
#include "hsm/signer/login_files.h"
#include "hsm/signer/signer_channel.h"
#include "hsm/signer/softhsm_folder.h"
#include "hsm/signer/startup.h"
#include "protocol/base/clock.h"
#include "protocol/base/core_dumps.h"
#include "protocol/base/version.h"

namespace linesign {
namespace {

// A module that hangs while it is closed must not keep a signer that nobody wants any more.
constexpr unsigned int kMaxCloseSeconds = 5;
constexpr std::chrono::milliseconds kPinLookPeriod(250);

[[noreturn]] void end(const Error& error) {
  spdlog::error(
      "signer stopped code={} detail=\"{}\"", error_info(error.code()).name, error.detail());
  spdlog::shutdown();
  ::_exit(error.exit_code());
}

signer::v1::FromSigner failed(const Error& error) {
  signer::v1::FromSigner message;
  message.mutable_failed()->set_code(static_cast<uint32_t>(error.code()));
  message.mutable_failed()->set_detail(error.detail());
  return message;
}

// A wrong message is not answered; a peer that is gone cannot be. linesignd logs what it is told.
[[noreturn]] void end(const Error& error, const SignerChannel& channel) {
  if (error.code() == ErrorCode::ConnectionClosed) ::_exit(EX_OK);
  if (error.code() != ErrorCode::SignerProtocol && channel.send(failed(error)).has_value())
    ::_exit(error.exit_code());
  end(error);
}

Result<void> send_phase(const SignerChannel& channel, signer::v1::Phase phase) {
  signer::v1::FromSigner message;
  message.set_phase(phase);
  return channel.send(message);
}

// Until linesignd lets this process try the PIN.
Result<void> wait_for_login(const SignerChannel& channel) {
  LS_CHECK(send_phase(channel, signer::v1::PHASE_PREPARED));
  Bytes buffer;
  LS_TRY(const std::optional<ByteView> packet, channel.receive(buffer));
  if (!packet) return fail(ErrorCode::ConnectionClosed, "linesignd closed the socket");
  signer::v1::ToSigner order;
  if (!order.ParseFromArray(packet->data(), static_cast<int>(packet->size())) || !order.log_in() ||
      !order.items().empty() || !order.checks().empty())
    return fail(ErrorCode::SignerProtocol, "not the message that allows the login");
  return {};
}

// Which folder a path names; absent: none.
struct FolderId {
  dev_t device = 0;
  ino_t number = 0;
  bool operator==(const FolderId&) const = default;
};

std::optional<FolderId> find_folder(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return FolderId{status.st_dev, status.st_ino};
}

// The refused PIN is compared here and forgotten, so that it is never tried again by itself and
// linesignd never learns it. An operator may have it tried by another program: then the memory says
// that the token accepted it. `folder` is what this process may read: whoever puts another one in
// its place has it read by the next process, which finds in the memory what was tried.
Result<void> wait_for_new_pin(const SignerChannel& channel,
                              const std::filesystem::path& file,
                              const std::optional<FolderId>& folder,
                              const RefusedPin& refused,
                              Result<PinMemory>& memory) {
  const SystemClock clock;
  SecretBytes seen;  // a file that somebody is writing is not yet what he means
  auto seen_folder = folder;
  while (!channel.wait_for_end(kPinLookPeriod)) {
    const auto now_folder = find_folder(file.parent_path());
    const bool is_moved = now_folder && now_folder != folder && now_folder == seen_folder;
    seen_folder = now_folder;
    auto pin = read_pin_file(file);
    const bool is_new = pin && !equal(pin->reveal(), refused.pin.reveal());
    const bool is_allowed =
        pin && memory && memory->allows_again(*pin, !refused.is_pause, clock.now()).value_or(false);
    if (is_moved || is_allowed || (is_new && equal(pin->reveal(), seen.reveal())))
      return send_phase(channel, signer::v1::PHASE_NEW_PIN);
    seen = is_new ? std::move(*pin) : SecretBytes();
  }
  return {};
}

// Says why, and ends when another try makes sense.
Result<void> wait_with_refused_pin(const SignerChannel& channel,
                                   const SignerSettings& settings,
                                   const RefusedPin& refused,
                                   const Error& error) {
  signer::v1::FromSigner message = failed(error);
  message.mutable_failed()->set_waits_for_pin(true);
  LS_CHECK(channel.send(message));
  const auto& file = settings.token.pin_file;
  spdlog::warn("PIN {} code={} file={}",
               refused.is_pause ? "not tried yet" : "refused, waiting for another one",
               error_info(error.code()).name,
               file.string());
  auto memory = PinMemory::open(settings.pin_memory, refused.token_serial);
  const auto folder = find_folder(file.parent_path());
  confine({.readable = {file.parent_path()}, .writable = {}});
  return wait_for_new_pin(channel, file, folder, refused, memory);
}

Result<void> send_ready(const SignerChannel& channel,
                        const StartedSigner& signer,
                        const std::vector<std::string>& missing_protections) {
  const Sha256& profile = signer.builder.profile_hash();
  const TokenInfo& token = signer.token.token();
  signer::v1::FromSigner message;
  message.mutable_ready()->set_profile_sha256(profile.data(), profile.size());
  message.mutable_ready()->set_token(fmt::format("{} ({})", token.label, token.serial));
  message.mutable_ready()->set_sign_us(static_cast<uint32_t>(signer.proof_time.count()));
  for (const std::string& each : missing_protections)
    message.mutable_ready()->add_missing_protections(each);
  message.mutable_ready()->set_pin_warning(std::string(signer.pin_warning));
  spdlog::info("signer ready token=\"{} ({})\" proof=\"{}\"",
               token.label,
               token.serial,
               key_proof_text(::getpid()));
  return channel.send(message);
}

void work(const SignerChannel& channel, SigningWorker& worker) {
  if (const auto done = run_batches(channel, worker); !done) end(done.error(), channel);
}

void run(const SignerChannel& channel, StartedSigner& signer) {
  std::vector<std::jthread> threads;
  for (size_t i = 1; i < signer.workers.size(); ++i)
    threads.emplace_back([&, i] { work(channel, signer.workers[i]); });
  work(channel, signer.workers.front());
}

// What the launcher says of itself, on the command line.
struct Parentage {
  std::optional<uid_t> user;  // what signers run as
  std::optional<int> pid;
};

// Which protections are missing afterwards.
Result<std::vector<std::string>> give_up_rights(const SignerSettings& settings,
                                                const Parentage& parentage) {
  std::vector<std::string> missing;
  std::optional<ProcessUser> user;
  if (parentage.user) {
    // Read anew: the launcher's rights are for the user that it was started for, and for no other.
    user = find_user(settings.user).value_or(ProcessUser{});
    if (user->uid == 0 || user->uid != *parentage.user)
      return fail(ErrorCode::ConfigConflict,
                  fmt::format("user in [hsm] is '{}' now, and was user {} when linesignd started; "
                              "restart linesignd",
                              settings.user,
                              *parentage.user));
    give_login_files(settings.login_lock, settings.pin_memory, *user);
  } else if (settings.user.empty()) {
    missing.emplace_back("signers run as linesignd's user: user in [hsm] is not set");
  } else if (!can_switch_user()) {
    missing.emplace_back(
        "signers run as linesignd's user: linesignd was started without the right to switch users");
  } else {
    LS_TRY(user, find_user(settings.user));
    give_login_files(settings.login_lock, settings.pin_memory, *user);
  }
  LS_CHECK(drop_privileges(user));
  LS_CHECK(forbid_core_dumps());
  return missing;
}

Confinement confinement_of(const SignerSettings& settings, const TokenInfo& token) {
  Confinement confinement{.readable = {settings.token.module.parent_path()},
                          .writable = settings.module_paths,
                          .network = settings.module_network};
  if (const auto folder = find_softhsm_folder(token.serial))
    confinement.readable.push_back(*folder);
  return confinement;
}

Result<void> serve(const std::filesystem::path& config,
                   const SignerChannel& channel,
                   const Parentage& parentage) {
  LS_TRY(const SignerSettings settings, load_signer_settings(config));
  LS_TRY(std::vector<std::string> missing, give_up_rights(settings, parentage));
  const int parent = parentage.pid.value_or(channel.peer().value_or(0));
  LS_CHECK(end_with_parent(parent, ParentDeath::Grace));
  adopt_orphans();
  StartSteps steps;
  steps.before_login = [&channel] { return wait_for_login(channel); };
  steps.after_login = [&channel, parent]() -> Result<void> {
    LS_CHECK(end_with_parent(parent, ParentDeath::Kill));
    return send_phase(channel, signer::v1::PHASE_LOGGED_IN);
  };
  auto signer = start_signer(settings, steps);
  if (!signer && steps.refused_pin)
    return wait_with_refused_pin(channel, settings, *steps.refused_pin, signer.error());
  if (!signer) return fail(signer.error());
  for (std::string& each : confine(confinement_of(settings, signer->token.token())))
    missing.push_back(std::move(each));
  if (settings.require_protections && !missing.empty())
    return fail(ErrorCode::SignerNotConfined, fmt::format("{}", fmt::join(missing, "; ")));
  LS_CHECK(send_ready(channel, *signer, missing));
  run(channel, *signer);
  ::alarm(kMaxCloseSeconds);
  return {};
}

// It ends when linesignd does, because its socket closes then; a signal of the parent's end would
// need the parent's right to send it.
Result<void> launch_signers(const std::filesystem::path& config, uid_t user, int fd) {
  const UniqueFd socket(fd);
  LS_CHECK(forbid_core_dumps());
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return run_launcher(socket, self, config, user);
}

// A line that nobody reads (a full pipe, a stopped journal) is dropped: a signer waits for no
// reader, and has no thread that could, because confine() comes before threads of our own.
class SignerLogSink final : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    pollfd reader{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (::poll(&reader, 1, 0) != 1) return;
    // A pipe that is ready takes so many bytes at once.
    const size_t size = std::min<size_t>(line.size(), PIPE_BUF);
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), size);
  }
  void flush_() override {}
};

// As linesignd writes it: both share one standard error.
void set_up_log() {
  auto logger = std::make_shared<spdlog::logger>("linesign", std::make_shared<SignerLogSink>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v pid=%P", spdlog::pattern_time_type::utc);
  spdlog::set_default_logger(std::move(logger));
}

int run_program(int argc, char** argv) {
  set_up_log();
  CLI::App app("One signer process of linesign; linesignd starts it.", "linesign-signer");
  std::filesystem::path config;
  int fd = -1;
  app.add_option("--config", config, "linesign.toml")->required();
  bool is_launcher = false;
  app.add_flag("--launcher", is_launcher, "start signers when linesignd asks, and sign nothing");
  Parentage parentage;
  app.add_option("--user", parentage.user, "the user of the signers, as the launcher has it");
  app.add_option("--parent", parentage.pid, "the launcher, for the signers that it starts");
  app.add_option("--fd", fd, "the socket to linesignd (SOCK_SEQPACKET)")
      ->required()
      ->check(CLI::NonNegativeNumber);
  app.set_version_flag("--version", std::string(kVersion));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EX_OK : EX_USAGE;
  }
  ::setsid();  // a session of its own: it shares no terminal
  ignore_terminal_signals();
  if (is_launcher) {
    if (!parentage.user) return EX_USAGE;
    if (const auto done = launch_signers(config, *parentage.user, fd); !done) end(done.error());
    return EX_OK;
  }
  let_others_go_first();
  auto channel = SignerChannel::open(UniqueFd(fd));
  if (!channel) end(channel.error());
  if (const auto served = serve(config, *channel, parentage); !served)
    end(served.error(), *channel);
  return EX_OK;
}

}  // namespace
}  // namespace linesign

int main(int argc, char** argv) {
  const int code = linesign::run_program(argc, argv);
  // Not exit(): nothing is left to be done, and static destructors of a module are not our code.
  ::_exit(code);
}
