#include "appliance/signers/signer_pool.h"

#include <algorithm>

#include <fmt/format.h>

#include "hsm/x509/csr.h"

namespace linesign {
namespace {

constexpr std::chrono::milliseconds kFirstBackoff(20);
constexpr std::chrono::milliseconds kMaxBackoff(500);
// A token that is not there, a wrong certificate: nothing that another try in a moment would mend.
constexpr std::chrono::milliseconds kOperatorBackoff(5000);
constexpr std::chrono::milliseconds kWatchdogPeriod(100);
// One may be a flipped bit; so many in a row are a broken device or the wrong key.
constexpr int kMaxWrongSignatures = 5;
constexpr int kFailuresBeforeDelay = 3;
constexpr std::chrono::milliseconds kFirstJobDelay(1000);
constexpr int kMaxDelayDoublings = 6;
constexpr size_t kShortBatchItems = 2;

}  // namespace

SignerPool::SignerPool(EventLoop& loop,
                       const Clock& clock,
                       SignerPoolSettings settings,
                       SignerPoolEvents events)
    : loop_(loop),
      clock_(clock),
      settings_(std::move(settings)),
      events_(std::move(events)),
      slots_(static_cast<size_t>(std::max(settings_.signers, 1))) {
  for (size_t i = 0; i < slots_.size(); ++i)
    slots_[i].restart = loop_.make_timer([this, i] { on_restart_time(i); });
  watchdog_ = loop_.make_timer([this] { watch_over(); });
}

SignerPool::~SignerPool() = default;

void SignerPool::start() {
  start_next();
  watchdog_->start(kWatchdogPeriod);
}

void SignerPool::sign(std::shared_ptr<const RecordedIntent> intent,
                      int64_t station_id,
                      Priority priority) {
  if (priority == Priority::Urgent) urgent_until_ = clock_.steady() + kUrgentMemory;
  SignJob job;
  job.tbs_hash = sha256(intent->tbs());
  job.station_id = station_id;
  job.intent = std::move(intent);
  queue_.push(station_id, std::move(job));
  dispatch();
}

void SignerPool::forget_queue() {
  queue_.clear();
  delayed_.clear();
}

std::optional<Error> SignerPool::obstacle() const {
  if (ready_ > 0) return std::nullopt;
  if (last_error_) return last_error_;
  return Error(ErrorCode::HsmUnavailable, "the signers are starting");
}

std::vector<SignerInfo> SignerPool::signers() const {
  std::vector<SignerInfo> infos;
  infos.reserve(slots_.size());
  for (const Slot& slot : slots_) {
    SignerInfo info;
    info.restarts = slot.starts > 0 ? slot.starts - 1 : 0;
    info.signatures = slot.signatures;
    info.state = stopped_ ? "stopped" : "waiting";
    if (slot.process != nullptr) {
      info.pid = slot.process->pid();
      info.state = slot.process->is_ready() ? "ready" : "starting";
      info.signatures += slot.process->signatures();
    }
    infos.push_back(std::move(info));
  }
  return infos;
}

bool SignerPool::is_one_starting() const {
  return std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) {
    return slot.waiting || (slot.process != nullptr && !slot.process->is_ready());
  });
}

// While no signer has shown that the PIN is right, only one may try it.
void SignerPool::start_next() {
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (ready_ == 0 && is_one_starting()) return;
    if (slots_[i].process == nullptr && !slots_[i].waiting) start_slot(i);
  }
}

// A slot whose time came while another one is trying stays idle: start_next() takes it up.
void SignerPool::on_restart_time(size_t index) {
  slots_[index].waiting = false;
  if (ready_ > 0 || !is_one_starting()) start_slot(index);
}

void SignerPool::start_slot(size_t index) {
  Slot& slot = slots_[index];
  if (stopped_ || slot.process != nullptr) return;
  SignerProcess::Events events{
      .on_ready = [this, index](SignerProcess& /*self*/,
                                const signer::v1::Ready& ready) { on_ready(index, ready); },
      .on_result =
          [this](SignerProcess& /*self*/, SignJob job, const signer::v1::SignResult& result) {
            on_result(std::move(job), result);
          },
      .on_progress = [this](SignerProcess& /*self*/) { dispatch(); },
      .on_ended = [this, index](SignerProcess& /*self*/,
                                Error reason) { on_ended(index, std::move(reason)); }};
  ++slot.starts;
  auto process = SignerProcess::spawn(loop_,
                                      clock_,
                                      {.executable = settings_.executable,
                                       .config = settings_.config,
                                       .threads = settings_.threads_per_signer},
                                      std::move(events));
  if (!process) {
    last_error_ = process.error();
    events_.on_trouble(process.error());
    schedule_restart(index);
    return;
  }
  slot.process = std::move(*process);
}

void SignerPool::schedule_restart(size_t index) {
  if (stopped_) return;
  Slot& slot = slots_[index];
  const bool needs_operator = last_error_ && last_error_->kind() == ErrorKind::Operator;
  slot.backoff = std::clamp(slot.backoff * 2, kFirstBackoff, kMaxBackoff);
  slot.waiting = true;
  slot.restart->start(needs_operator ? kOperatorBackoff : slot.backoff);
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
  ++ready_;
  if (ready_ == 1) {
    start_next();
    events_.on_change();
  }
  dispatch();
}

void SignerPool::on_result(SignJob job, const signer::v1::SignResult& result) {
  if (result.error_code() == 0) {
    wrong_signatures_ = 0;
    events_.on_signed(*job.intent, as_bytes(result.signature()));
    return;
  }
  const auto code = find_error_code(result.error_code());
  const Error error(code.value_or(ErrorCode::SignerProtocol), result.detail());
  if (error.kind() == ErrorKind::Refuse) {
    events_.on_signed(*job.intent, fail(error));
    return;
  }
  events_.on_trouble(
      error.with_context(fmt::format("intent {} was not signed", job.intent->issuance_id())));
  ++job.failures;
  retry(std::move(job));
}

void SignerPool::on_ended(size_t index, Error reason) {
  // Only a crash may be a job's fault. A signer that says why it stops was not killed by a job.
  const bool crashed = reason.code() == ErrorCode::HsmUnavailable;
  const bool is_out = is_out_of_service(reason);
  if (is_out || ready_ <= 1 || reason.kind() == ErrorKind::Operator) last_error_ = reason;
  retire(index, crashed);
  if (is_out) stop_all();
  schedule_restart(index);
  events_.on_trouble(reason);
  dispatch();
}

// Is this the end of all signers until linesignd is restarted? Then the reason says so.
bool SignerPool::is_out_of_service(Error& reason) {
  if (reason.code() == ErrorCode::HsmPinRefused) return true;
  if (reason.code() != ErrorCode::HsmSignatureWrong) return false;
  if (++wrong_signatures_ < kMaxWrongSignatures) return false;
  reason = reason.with_context(fmt::format(
      "{} in a row; nothing is signed until linesignd is restarted", wrong_signatures_));
  return true;
}

void SignerPool::stop_all() {
  stopped_ = true;
  for (size_t i = 0; i < slots_.size(); ++i) retire(i, false);
}

// Takes the process out of its slot and its jobs back to the front of the queue.
void SignerPool::retire(size_t index, bool blame) {
  Slot& slot = slots_[index];
  if (slot.process == nullptr) return;
  std::vector<SignJob> jobs = slot.process->take_unfinished(blame);
  std::for_each(jobs.rbegin(), jobs.rend(), [this](SignJob& job) {
    if (job.failures == 0) {
      queue_.put_back(std::move(job));
    } else {
      retry(std::move(job));
    }
  });
  slot.signatures += slot.process->signatures();
  slot.process->kill_now();
  // We may be inside one of its callbacks: it goes at the end of this turn.
  ended_.push_back(std::move(slot.process));
  loop_.post([this] { ended_.clear(); });
  const auto ready =
      static_cast<size_t>(std::count_if(slots_.begin(), slots_.end(), [](const Slot& each) {
        return each.process != nullptr && each.process->is_ready();
      }));
  const bool was_ready = ready_ > 0;
  ready_ = ready;
  if (was_ready && ready_ == 0) events_.on_change();
}

void SignerPool::retry(SignJob job) {
  if (job.failures < kFailuresBeforeDelay) {
    queue_.put_back(std::move(job));
    return;
  }
  const int doublings = std::min(job.failures - kFailuresBeforeDelay, kMaxDelayDoublings);
  delayed_.push_back({clock_.steady() + kFirstJobDelay * (1 << doublings), std::move(job)});
}

size_t SignerPool::max_batch_items() const {
  return clock_.steady() < urgent_until_ ? kShortBatchItems : kMaxBatchItems;
}

// A job that may be poison travels alone. Others are spread over all signers, so that a small queue
// does not wait behind one of them.
std::vector<SignJob> SignerPool::next_batch() {
  std::vector<SignJob> batch;
  const size_t lanes =
      std::max<size_t>(ready_, 1) * static_cast<size_t>(settings_.threads_per_signer);
  const size_t share =
      std::clamp<size_t>((queue_.size() + lanes - 1) / lanes, 1, max_batch_items());
  size_t bytes = 0;
  while (!queue_.empty() && batch.size() < share) {
    const bool suspect = queue_.next().failures > 0;
    bytes += queue_.next().intent->csr().size() + kMaxDeviceIdBytes * 2;
    if (!batch.empty() && (suspect || bytes > kMaxBatchBytes)) break;
    batch.push_back(queue_.pop());
    if (suspect) break;
  }
  return batch;
}

void SignerPool::dispatch() {
  size_t tried = 0;
  while (!queue_.empty() && tried < slots_.size()) {
    next_slot_ = (next_slot_ + 1) % slots_.size();
    SignerProcess* process = slots_[next_slot_].process.get();
    if (process == nullptr || !process->is_ready() || process->free_batches() == 0) {
      ++tried;
      continue;
    }
    std::vector<SignJob> batch = next_batch();
    if (process->send(batch)) {
      tried = 0;
      continue;
    }
    std::for_each(
        batch.rbegin(), batch.rend(), [this](SignJob& job) { queue_.put_back(std::move(job)); });
    ++tried;
  }
}

void SignerPool::watch_over() {
  const SteadyTime now = clock_.steady();
  for (size_t i = 0; i < slots_.size(); ++i) {
    const SignerProcess* process = slots_[i].process.get();
    if (process == nullptr) continue;
    const auto since =
        process->is_ready() ? process->oldest_progress() : std::optional(process->started_at());
    const auto limit = process->is_ready() ? settings_.sign_timeout : settings_.start_timeout;
    if (!since || now - *since < limit) continue;
    const Error error(ErrorCode::SignerTimeout,
                      fmt::format("pid {}, {} ms", process->pid(), limit.count()));
    events_.on_trouble(error);
    if (ready_ <= 1) last_error_ = error;
    retire(i, true);
    schedule_restart(i);
  }
  release_delayed();
  dispatch();
  watchdog_->start(kWatchdogPeriod);
}

void SignerPool::release_delayed() {
  const SteadyTime now = clock_.steady();
  const auto due = std::stable_partition(
      delayed_.begin(), delayed_.end(), [&](const DelayedJob& each) { return each.due > now; });
  for (auto each = due; each != delayed_.end(); ++each) {
    const int64_t station_id = each->job.station_id;
    queue_.push(station_id, std::move(each->job));
  }
  delayed_.erase(due, delayed_.end());
}

}  // namespace linesign
