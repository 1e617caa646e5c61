#include "appliance/bench/plant.h"

#include <chrono>

#include <fmt/format.h>

#include "appliance/bench/cancel.h"
#include "protocol/base/file.h"

namespace linesign::bench {
namespace {

constexpr std::chrono::seconds kStartPatience(60);
constexpr std::chrono::milliseconds kPollEvery(20);
constexpr size_t kMaxLogBytes = 64UL * 1024 * 1024;
constexpr size_t kLogTailBytes = 1500;
constexpr mode_t kPrivateFile = 0600;

std::string configuration(const ThrowawayToken& token, const PlantSettings& settings) {
  constexpr std::string_view kHsm = "[hsm]\n";
  std::string text = token.config_lines;
  const size_t hsm = text.find(kHsm);
  if (hsm != std::string::npos)
    text.insert(hsm + kHsm.size(),
                fmt::format("signers = {}\nthreads_per_signer = {}\n",
                            settings.signers,
                            settings.threads_per_signer));
  return text +
         fmt::format("\n[stations]\nlisten = \"127.0.0.1:0\"\nwindow = {}\nmax_sessions = {}\n",
                     settings.window,
                     settings.max_sessions);
}

}  // namespace

Result<std::unique_ptr<Plant>> Plant::build(const PlantSettings& settings) {
  LS_TRY(WorkFolder folder, WorkFolder::take(settings.folder));
  // From here on the destructor cleans up.
  std::unique_ptr<Plant> plant(new Plant(settings, std::move(folder)));
  LS_CHECK(plant->make_token_and_configuration());
  return plant;
}

Result<void> Plant::make_token_and_configuration() {
  LS_TRY(token_,
         make_throwaway_token(
             {.folder = folder(), .ca_key = settings_.ca_key, .module = settings_.module}));
  return write_file_atomic(folder() / "linesign.toml",
                           as_bytes(configuration(token_, settings_)),
                           kPrivateFile,
                           Overwrite::Refuse,
                           Durability::Renamed);
}

Plant::~Plant() {
  daemon_.reset();
  // In a folder of the user's everything stays, to be looked at.
  const bool is_made = !token_.folder.empty();
  if (is_made && folder_.is_temporary())
    static_cast<void>(remove_throwaway_token(token_).has_value());
}

Result<void> Plant::start() {
  LS_TRY(daemon_,
         DaemonProcess::start(
             settings_.linesignd, folder() / "linesign.toml", folder() / "linesignd.log"));
  return wait_until_producing();
}

Result<void> Plant::wait_until_producing() {
  const AdminClient client = admin();
  const auto deadline = std::chrono::steady_clock::now() + kStartPatience;
  for (;;) {
    LS_CHECK(check_cancelled(settings_.cancel_descriptor));
    const auto status = client.status();
    if (status.has_value() && status->producing) return {};
    const auto end = daemon_->wait_for_end(kPollEvery);
    if (end) return fail(with_log("linesignd ended with " + *end));
    if (std::chrono::steady_clock::now() < deadline) continue;
    return fail(with_log("linesignd does not produce"));
  }
}

Result<void> Plant::stop() {
  if (!daemon_) return {};
  const auto stopped = daemon_->stop();
  if (!stopped.has_value()) return fail(with_log(stopped.error().detail()));
  return {};
}

Error Plant::with_log(const std::string& what) const {
  const auto log = read_file(folder() / "linesignd.log", kMaxLogBytes);
  const std::string_view text = log.has_value() ? as_text(*log) : std::string_view("no log");
  const size_t tail = text.size() > kLogTailBytes ? text.size() - kLogTailBytes : 0;
  return Error(ErrorCode::InputInvalid, fmt::format("{}; its log: {}", what, text.substr(tail)));
}

}  // namespace linesign::bench
