#include "appliance/signers/signer_pool.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace linesign {
namespace {

constexpr std::chrono::milliseconds kFirstBackoff(20);
constexpr std::chrono::milliseconds kMaxBackoff(500);
// How long one that starts alone may be without a sign of life before the next one starts. A start
// that fails is over before, so that an HSM that is away is asked by one signer, not by all.
constexpr std::chrono::milliseconds kStagger(1000);
// A login that takes longer may wait for the lock.
constexpr std::chrono::milliseconds kLockPatience(500);
constexpr std::chrono::milliseconds kWatchdogPeriod(100);

const char* state_of(const SignerProcess& process) {
  if (process.phase() == SignerPhase::PinRefused) return "waiting";
  return process.is_ready() ? "ready" : "starting";
}

}  // namespace

SignerPool::SignerPool(EventLoop& loop,
                       const Clock& clock,
                       SignerPoolSettings settings,
                       SignerPoolEvents events)
    : loop_(loop),
      clock_(clock),
      settings_(std::move(settings)),
      events_(std::move(events)),
      own_(settings_.executable, {"--config", settings_.config.string()}),
      slots_(static_cast<size_t>(std::max(settings_.signers, 1))),
      work_(clock_, slots_.size()),
      signatures_(clock_, settings_.wrong_signatures, slots_.size()),
      pace_(settings_.sign_timeout),
      lock_watch_(clock_, settings_.login_lock, settings_.executable, settings_.launcher) {
  for (size_t i = 0; i < slots_.size(); ++i)
    slots_[i].restart = loop_.make_timer([this, i] { on_restart_time(i); });
  watchdog_ = loop_.make_timer([this] { watch_over(); });
}

SignerPool::~SignerPool() = default;

void SignerPool::start() {
  if (!refuse_untrusted()) start_next();
  watchdog_->start(kWatchdogPeriod);
}

// A start does not forget what happened before it.
bool SignerPool::refuse_untrusted() {
  const auto verdict = signatures_.verdict();
  if (!verdict) return false;
  last_error_ = verdict;
  stopped_ = true;
  events_.on_trouble(*verdict);
  return true;
}

Result<size_t> SignerPool::trust() {
  const bool was_stopped_for_it = signatures_.verdict().has_value();
  LS_TRY(const size_t released, signatures_.trust());
  if (was_stopped_for_it) {
    stopped_ = false;
    last_error_ = Error(ErrorCode::HsmUnavailable, "the signers are starting");
  }
  start_next();
  return released;
}

std::optional<Error> SignerPool::obstacle() const {
  if (ready_ > 0) return std::nullopt;
  if (last_error_) return last_error_;
  return Error(ErrorCode::HsmUnavailable, "the signers are starting");
}

std::vector<SignerInfo> SignerPool::signers() const {
  std::vector<SignerInfo> infos;
  infos.reserve(slots_.size());
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    const SignatureWatch::Record signed_wrongly = signatures_.of(i);
    SignerInfo info;
    info.wrong_signatures = signed_wrongly.wrong;
    info.quarantined_since = signed_wrongly.quarantined_since;
    info.restarts = slot.starts > 0 ? slot.starts - 1 : 0;
    info.signatures = slot.signatures;
    info.state = stopped_ ? "stopped" : "waiting";
    if (slot.process != nullptr) {
      info.pid = slot.process->pid();
      if (!stopped_) info.state = state_of(*slot.process);
      info.signatures += slot.process->signatures();
    }
    if (info.quarantined_since) info.state = "quarantined";
    infos.push_back(std::move(info));
  }
  return infos;
}

bool SignerPool::is_pin_proved() const {
  return std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) {
    return slot.process != nullptr && slot.process->is_logged_in();
  });
}

bool SignerPool::is_start_hopeful(const Slot& slot) const {
  if (slot.waiting) return true;
  if (slot.process == nullptr) return false;
  return slot.process->phase() != SignerPhase::Starting ||
         clock_.steady() - slot.process->phase_since() < kStagger;
}

// While no signer has shown that the PIN is right, the next one starts only when nothing is to be
// hoped from those that do already.
void SignerPool::start_next() {
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (stopped_ || waits_for_ends()) return;
    if (slots_[i].process != nullptr || slots_[i].waiting || signatures_.is_quarantined(i))
      continue;
    const bool is_hopeful = std::any_of(
        slots_.begin(), slots_.end(), [this](const Slot& slot) { return is_start_hopeful(slot); });
    if (is_hopeful && !is_pin_proved()) return;
    start_slot(i);
  }
}

// Before the PIN has proved to be right only one may try it.
void SignerPool::allow_logins() {
  if (stopped_) return;
  const auto has_phase = [](const Slot& slot, SignerPhase phase) {
    return slot.process != nullptr && slot.process->phase() == phase;
  };
  const bool is_proved = is_pin_proved();
  bool is_one_trying = std::any_of(slots_.begin(), slots_.end(), [&](const Slot& slot) {
    return has_phase(slot, SignerPhase::LoggingIn);
  });
  for (Slot& slot : slots_) {
    if (!has_phase(slot, SignerPhase::Prepared)) continue;
    if (is_one_trying && !is_proved) return;
    slot.process->allow_login();
    is_one_trying = true;
  }
}

// A slot whose time came while another one is trying stays idle: start_next() takes it up.
void SignerPool::on_restart_time(size_t index) {
  slots_[index].waiting = false;
  start_next();
}

SignerProcess::Events SignerPool::slot_events(size_t index) {
  return {
      .on_phase = [this, index](SignerProcess& /*self*/) { on_phase(index); },
      .on_ready = [this, index](SignerProcess& /*self*/,
                                const signer::v1::Ready& ready) { on_ready(index, ready); },
      .on_pin_refused = [this, index](SignerProcess& /*self*/,
                                      Error reason) { on_pin_refused(index, std::move(reason)); },
      .on_checked =
          [this](SignerProcess& self, const CheckJob& job, const signer::v1::CheckResult& result) {
            on_checked(self, job, result);
          },
      .on_result =
          [this](SignerProcess& /*self*/, SignJob job, const signer::v1::SignResult& result) {
            on_result(std::move(job), result);
          },
      .on_progress = [this](SignerProcess& /*self*/) { dispatch(); },
      .on_ended = [this, index](SignerProcess& /*self*/,
                                Error reason) { on_ended(index, std::move(reason)); }};
}

void SignerPool::start_slot(size_t index) {
  Slot& slot = slots_[index];
  ++slot.starts;
  auto process =
      SignerProcess::spawn(loop_, clock_, host(), settings_.threads_per_signer, slot_events(index));
  if (!process) {
    last_error_ = process.error();
    tell(process.error(), true);
    schedule_restart(index);
    return;
  }
  slot.process = std::move(*process);
  if (settings_.launcher == nullptr) take_reports();  // its pid
}

void SignerPool::schedule_restart(size_t index, std::optional<std::chrono::milliseconds> wait) {
  if (stopped_ || signatures_.is_quarantined(index)) return;
  Slot& slot = slots_[index];
  slot.backoff = std::clamp(slot.backoff * 2, kFirstBackoff, kMaxBackoff);
  slot.waiting = true;
  slot.restart->start(wait.value_or(slot.backoff));
}

void SignerPool::on_phase(size_t index) {
  if (slots_[index].process->phase() == SignerPhase::NewPin) {
    on_new_pin(index);
    return;
  }
  start_next();
  allow_logins();
}

void SignerPool::on_pin_refused(size_t index, Error reason) {
  // A pause between logins that the token does not answer: those that are logged in go on.
  const bool is_pause = reason.code() == ErrorCode::SignerTimeout;
  if (!is_pause || ready_ == 0) last_error_ = reason;
  if (!is_pause) stop_all(slots_[index].process.get());
  events_.on_trouble(reason);
}

void SignerPool::on_new_pin(size_t index) {
  stopped_ = false;
  last_error_ = Error(ErrorCode::HsmUnavailable, "the signers are starting: the PIN may be tried");
  retire(index, false);
  start_next();
}

void SignerPool::on_ready(size_t index, const signer::v1::Ready& ready) {
  if (!equal(as_bytes(ready.profile_sha256()), settings_.profile_hash)) {
    on_ended(
        index,
        Error(ErrorCode::ConfigConflict,
              "the configuration or the CA certificate changed while linesignd runs; restart it"));
    return;
  }
  slots_[index].backoff = std::chrono::milliseconds(0);
  last_error_.reset();
  token_ = ready.token();
  missing_protections_.assign(ready.missing_protections().begin(),
                              ready.missing_protections().end());
  if (!ready.pin_warning().empty() && pin_warning_ != ready.pin_warning()) {
    pin_warning_ = ready.pin_warning();
    if (events_.on_pin_warning) events_.on_pin_warning(pin_warning_);
  }
  if (ready.sign_us() > 0) pace_.record(std::chrono::microseconds(ready.sign_us()));
  ++ready_;
  if (ready_ == 1) {
    start_next();
    events_.on_change();
  }
  dispatch();
}

// Is this the end of all signers until a person acts? Then the reason says so.
bool SignerPool::is_out_of_service(size_t index, Error& reason) {
  if (reason.code() == ErrorCode::HsmPinRefused) return true;
  if (reason.code() != ErrorCode::HsmSignatureWrong) return false;
  if (const auto kept = signatures_.record(index); !kept) events_.on_trouble(kept.error());
  const SignatureWatch::Record record = signatures_.of(index);
  reason = reason.with_context(fmt::format("signer {}, its wrong signature number {}{}",
                                           index,
                                           record.wrong,
                                           record.quarantined_since ? "; it is quarantined" : ""));
  const auto verdict = signatures_.verdict();
  if (!verdict) return false;
  events_.on_trouble(reason);
  reason = *verdict;
  return true;
}

// Takes the process out of its slot and its jobs back to the front of the queue.
void SignerPool::retire(size_t index, bool blame) {
  Slot& slot = slots_[index];
  if (slot.process == nullptr) return;
  const std::vector<CheckJob> given_up =
      work_.take_back(index, slot.process->take_unfinished(blame));
  slot.signatures += slot.process->signatures();
  end(std::move(slot.process));
  const auto ready =
      static_cast<size_t>(std::count_if(slots_.begin(), slots_.end(), [](const Slot& each) {
        return each.process != nullptr && each.process->is_ready();
      }));
  const bool was_ready = ready_ > 0;
  ready_ = ready;
  for (const CheckJob& job : given_up) {
    const Error error(ErrorCode::HsmUnavailable,
                      fmt::format("the check of a CSR for device {} ended {} signers",
                                  job.request->device_id,
                                  job.failures));
    events_.on_trouble(error);
    events_.on_checked(*job.request, fail(error));
  }
  if (was_ready && ready_ == 0) events_.on_change();
}

bool SignerPool::is_late(const SignerProcess& process, SteadyTime now) const {
  switch (process.phase()) {
    case SignerPhase::Prepared:
    case SignerPhase::PinRefused:
    case SignerPhase::NewPin:
      return false;
    case SignerPhase::Ready: {
      const auto progress = process.oldest_progress();
      return progress && now - *progress >= settings_.sign_timeout;
    }
    case SignerPhase::Starting:
    case SignerPhase::LoggingIn:
    case SignerPhase::LoggedIn:
      break;
  }
  return now - process.phase_since() >= settings_.start_timeout;
}

void SignerPool::watch_over() {
  const SteadyTime now = clock_.steady();
  take_reports();
  end_departing(now);
  look_at_lock(now);
  for (size_t i = 0; i < slots_.size(); ++i) {
    const SignerProcess* process = slots_[i].process.get();
    if (process == nullptr || !is_late(*process, now)) continue;
    const auto limit = process->is_ready() ? settings_.sign_timeout : settings_.start_timeout;
    const Error error(
        ErrorCode::SignerTimeout,
        fmt::format(
            "pid {} ({}), {} ms", process->pid(), to_string(process->phase()), limit.count()));
    events_.on_trouble(error);
    if (ready_ <= 1) last_error_ = held_up_ ? held_up_ : error;
    retire(i, true);
    schedule_restart(i);
  }
  start_next();
  allow_logins();
  work_.release_delayed();
  dispatch();
  if (const auto news = pace_.take_news(now); news && events_.on_pace) events_.on_pace(*news);
  watchdog_->start(kWatchdogPeriod);
}

// Does somebody else keep the one from its login that may try?
void SignerPool::look_at_lock(SteadyTime now) {
  std::vector<int> ours;
  ours.reserve(departing_.size() + slots_.size());
  for (const Departing& each : departing_) ours.push_back(each.process->pid());
  bool is_kept = false;
  for (const Slot& slot : slots_) {
    if (slot.process == nullptr) continue;
    ours.push_back(slot.process->pid());
    is_kept = is_kept || (slot.process->phase() == SignerPhase::LoggingIn &&
                          now - slot.process->phase_since() >= kLockPatience);
  }
  if (!is_kept) held_up_.reset();
  if (!is_kept || now - looked_at_ < kLockPatience) return;
  looked_at_ = now;
  const auto former = std::exchange(held_up_, lock_watch_.look(ours));
  if (!held_up_) return;
  if (ready_ == 0) last_error_ = held_up_;
  if (!former || former->detail() != held_up_->detail()) events_.on_trouble(*held_up_);
}

}  // namespace linesign
