// The part of the pool that follows processes: their numbers, and what has become of them.
#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "appliance/signers/signer_pool.h"

namespace linesign {
namespace {

constexpr std::chrono::seconds kEndPatience(5);
// More than that, and a machine on which no signer ends would fill with them.
constexpr size_t kMaxLeavingOfSlot = 8;
// A token that is not there, a wrong certificate: nothing that another try in a moment would mend.
// A start that finds it out before the login is a cheap look, which costs no try of the PIN.
constexpr std::chrono::milliseconds kLookBackoff(300);
constexpr std::chrono::milliseconds kOperatorBackoff(5000);
constexpr std::chrono::seconds kTellAgain(60);  // what a look finds again and again

// The PIN file, the login lock and the PIN memory are opened in LoggingIn, before the PIN is tried.
bool is_before_login(SignerPhase phase, ErrorCode code) {
  return phase == SignerPhase::Starting ||
         (phase == SignerPhase::LoggingIn &&
          (code == ErrorCode::Io || code == ErrorCode::HsmPinFile));
}

}  // namespace

SignerHost& SignerPool::host() {
  if (settings_.launcher != nullptr) return *settings_.launcher;
  return own_;
}

void SignerPool::take_reports() {
  const bool was_waiting = waits_for_ends();
  for (const SignerReport& report : host().take_reports()) take_report(report);
  tell_of_stuck();
  if (was_waiting && !waits_for_ends()) start_next();
}

void SignerPool::take_report(const SignerReport& report) {
  const auto found = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& slot) {
    return slot.process != nullptr && slot.process->id() == report.id;
  });
  SignerProcess* process = found != slots_.end() ? found->process.get() : nullptr;
  switch (report.kind) {
    case SignerReport::Kind::Started:
      if (process != nullptr) {
        process->set_pid(report.value);
      } else if (const auto former = leaving_.find(report.id); former != leaving_.end()) {
        former->second.pid = report.value;
      }
      return;
    case SignerReport::Kind::NotStarted:
      if (process != nullptr && report.error)
        on_ended(static_cast<size_t>(found - slots_.begin()), *report.error);
      leaving_.erase(report.id);
      return;
    case SignerReport::Kind::Ended:
      // Its last words may still be in the socket, which ends by itself.
      if (process != nullptr) process->set_exit_status(report.value);
      for (Departing& each : departing_) {
        if (each.process->id() == report.id) each.process->set_exit_status(report.value);
      }
      on_gone(report.id, report.value);
      return;
  }
}

// `spare` stays: it watches the PIN file.
void SignerPool::stop_all(const SignerProcess* spare) {
  stopped_ = true;
  for (size_t i = 0; i < slots_.size(); ++i) {
    slots_[i].restart->stop();
    slots_[i].waiting = false;
    SignerProcess* process = slots_[i].process.get();
    if (process == nullptr || process == spare) continue;
    if (process->phase() == SignerPhase::LoggingIn) {
      let_go(std::move(slots_[i].process));
    } else {
      retire(i, false);
    }
  }
}

// Kills it, if it has not ended.
void SignerPool::end(std::unique_ptr<SignerProcess> process) {
  if (!process->exit_status())
    leaving_[process->id()] = {
        .pid = process->pid(), .has_stopped = process->has_stopped(), .since = clock_.steady()};
  process->kill_now();
  // We may be inside one of its callbacks: it goes at the end of this turn.
  ended_.push_back(std::move(process));
  loop_.post([this] { ended_.clear(); });
}

void SignerPool::let_go(std::unique_ptr<SignerProcess> process) {
  process->tell_to_leave();
  departing_.push_back({std::move(process), clock_.steady() + settings_.start_timeout});
}

void SignerPool::end_departing(SteadyTime now) {
  const auto over =
      std::stable_partition(departing_.begin(), departing_.end(), [&](const Departing& each) {
        return !each.process->exit_status() && now < each.until;
      });
  for (auto each = over; each != departing_.end(); ++each) end(std::move(each->process));
  departing_.erase(over, departing_.end());
}

void SignerPool::on_gone(uint64_t id, int status) {
  const auto found = leaving_.find(id);
  if (found == leaving_.end()) return;
  const Leaving former = found->second;
  leaving_.erase(found);
  if (!former.has_stopped && !former.is_told) return;
  const Error how(ErrorCode::HsmUnavailable,
                  fmt::format("signer {} stopped: {}", former.pid, describe_exit(status)));
  if (last_error_ && last_error_->detail() == fmt::format("signer {} stopped", former.pid))
    last_error_ = how;
  events_.on_trouble(how);
}

void SignerPool::tell_of_stuck() {
  const SteadyTime now = clock_.steady();
  for (auto& [id, former] : leaving_) {
    if (former.is_told || now - former.since < kEndPatience) continue;
    former.is_told = true;
    events_.on_trouble(
        Error(ErrorCode::HsmUnavailable,
              fmt::format("signer {} was killed and does not end: the kernel waits for a device or "
                          "a disk; others go on",
                          former.pid)));
  }
}

// So many do not end that no others are started.
bool SignerPool::waits_for_ends() {
  if (leaving_.size() < kMaxLeavingOfSlot * slots_.size()) return false;
  if (ready_ == 0)
    last_error_ = Error(
        ErrorCode::HsmUnavailable,
        fmt::format("{} signers were killed and do not end, so no more are started: the kernel "
                    "waits for a device or a disk; check the HSM, or restart the machine",
                    leaving_.size()));
  return true;
}

void SignerPool::on_ended(size_t index, Error reason) {
  if (stopped_ && slots_[index].process->phase() == SignerPhase::PinRefused) {
    on_watcher_ended(index);
    return;
  }
  // Only a crash may be a job's fault. A signer that says why it stops was not killed by a job.
  const bool crashed = slots_[index].process->has_stopped();
  const bool is_out = is_out_of_service(index, reason);
  const SignerPhase phase = slots_[index].process->phase();
  const bool needs_operator = reason.kind() == ErrorKind::Operator;
  const bool is_look = needs_operator && is_before_login(phase, reason.code());
  if (is_out || ready_ <= 1 || needs_operator) last_error_ = reason;
  retire(index, crashed);
  if (is_out) stop_all();
  schedule_restart(
      index,
      needs_operator ? std::optional(is_look ? kLookBackoff : kOperatorBackoff) : std::nullopt);
  tell(reason, is_look);
  start_next();
  allow_logins();
  dispatch();
}

// Another one takes its place, alone: start_next() waits for this slot. It remembers the refused
// PIN and does not try it again. What nobody signs for stays what it is.
void SignerPool::on_watcher_ended(size_t index) {
  retire(index, false);
  stopped_ = false;
  schedule_restart(index, kLookBackoff);
  tell(Error(ErrorCode::HsmPinRefused,
             "the signer that watched the PIN file ended; another one takes its place"),
       true);
}

void SignerPool::tell(const Error& error, bool is_look) {
  const SteadyTime now = clock_.steady();
  const bool is_known = is_look && told_ && told_->code() == error.code() &&
                        told_->detail() == error.detail() && now - told_at_ < kTellAgain;
  if (is_known) return;
  if (is_look) {
    told_ = error;
    told_at_ = now;
  }
  events_.on_trouble(error);
}

}  // namespace linesign
