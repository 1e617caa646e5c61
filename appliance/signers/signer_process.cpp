#include "appliance/signers/signer_process.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <google/protobuf/arena.h>

#include "protocol/base/process.h"

namespace linesign {
namespace {

void fill_check(signer::v1::SignItem& item, const CheckRequest& request) {
  item.set_check_id(request.id);
  item.set_csr_der(request.csr.data(), request.csr.size());
  item.set_device_id(request.device_id);
  item.set_serial(request.serial.data(), request.serial.size());
  item.set_issued_at(request.issued_at.time_since_epoch().count());
  item.set_tbs_sha256(request.tbs_hash.data(), request.tbs_hash.size());
}

void fill_item(signer::v1::SignItem& item, const SignJob& job) {
  const RecordedIntent& intent = *job.intent;
  item.set_issuance_id(intent.issuance_id());
  item.set_tbs_sha256(job.tbs_hash.data(), job.tbs_hash.size());
  item.set_check_id(job.check_id);
  if (job.check_id != 0) return;
  item.set_csr_der(intent.csr().data(), intent.csr().size());
  item.set_device_id(intent.device_id());
  item.set_serial(intent.serial().data(), intent.serial().size());
  item.set_issued_at(intent.issued_at().time_since_epoch().count());
}

// Absent: no batch has it.
template <typename Job, typename Matches>
std::optional<Job> take_job(std::vector<Job>& jobs, Matches matches) {
  const auto found = std::find_if(jobs.begin(), jobs.end(), matches);
  if (found == jobs.end()) return std::nullopt;
  Job job = std::move(*found);
  jobs.erase(found);
  return job;
}

constexpr std::chrono::milliseconds kReadyGrace(300);
constexpr std::chrono::milliseconds kStartingGrace(3000);

}  // namespace

std::string describe_exit(int status) {
  if (WIFSIGNALED(status)) return fmt::format("ended by signal {}", WTERMSIG(status));
  return fmt::format("exit status {}", WEXITSTATUS(status));
}

const char* to_string(SignerPhase phase) {
  constexpr std::array<const char*, 7> kNames = {
      "starting", "prepared", "logging in", "logged in", "ready", "PIN refused", "new PIN"};
  return kNames[static_cast<size_t>(phase)];
}

Result<std::unique_ptr<SignerProcess>> SignerProcess::spawn(
    EventLoop& loop, const Clock& clock, SignerHost& host, int threads, Events events) {
  LS_TRY(SignerChild child, host.launch());
  std::unique_ptr<SignerProcess> process(
      new SignerProcess(clock, host, threads, std::move(events), std::move(child)));
  process->watch(loop);
  return process;
}

SignerProcess::SignerProcess(
    const Clock& clock, SignerHost& host, int threads, Events events, SignerChild child)
    : clock_(clock),
      host_(host),
      threads_(static_cast<size_t>(std::max(threads, 1))),
      events_(std::move(events)),
      id_(child.id),
      socket_(std::move(child.socket)),
      phase_since_(clock.steady()),
      buffer_(kMaxSignerMessageBytes) {}

SignerProcess::~SignerProcess() {
  tell_to_leave();
  if (exit_status_) return;
  // Killing a SoftHSM user inside C_Login can empty its token, so a starting signer gets time.
  const bool may_log_in = phase_ == SignerPhase::Starting || phase_ == SignerPhase::LoggingIn;
  if (!ended_) wait_for_exit(pid_, may_log_in ? kStartingGrace : kReadyGrace);
  host_.end(id_);
}

void SignerProcess::tell_to_leave() {
  watch_.reset();
  socket_.reset();  // end of file: the signer's order to leave
}

void SignerProcess::kill_now() { ended_ = true; }

void SignerProcess::allow_login() {
  signer::v1::ToSigner message;
  message.set_log_in(true);
  const std::string packet = message.SerializeAsString();
  while (::send(socket_.get(), packet.data(), packet.size(), MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
  enter(SignerPhase::LoggingIn);
}

void SignerProcess::enter(SignerPhase phase) {
  phase_ = phase;
  phase_since_ = clock_.steady();
}

void SignerProcess::watch(EventLoop& loop) {
  watch_ = loop.watch(
      socket_.get(), {.read = true, .write = false}, [this](Readiness /*ready*/) { receive(); });
}

size_t SignerProcess::free_batches() const {
  const size_t wanted = threads_ * 2;
  return batches_.size() < wanted ? wanted - batches_.size() : 0;
}

bool SignerProcess::send(SignerBatch& batch) {
  google::protobuf::Arena arena;
  auto* message = google::protobuf::Arena::CreateMessage<signer::v1::ToSigner>(&arena);
  message->mutable_checks()->Reserve(static_cast<int>(batch.checks.size()));
  message->mutable_items()->Reserve(static_cast<int>(batch.signs.size()));
  for (const CheckJob& job : batch.checks) fill_check(*message->add_checks(), *job.request);
  for (const SignJob& job : batch.signs) fill_item(*message->add_items(), job);
  const size_t size = message->ByteSizeLong();
  if (size > buffer_.size()) return false;
  message->SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(buffer_.data()));
  ssize_t sent = 0;
  do {
    sent = ::send(socket_.get(), buffer_.data(), size, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return false;  // a broken socket is noticed by receive()
  batches_.push_back({.work = std::exchange(batch, {}), .progress_at = clock_.steady()});
  return true;
}

std::optional<SteadyTime> SignerProcess::oldest_progress() const {
  std::optional<SteadyTime> oldest;
  for (size_t i = 0; i < batches_.size() && i < threads_; ++i) {
    if (!oldest || batches_[i].progress_at < *oldest) oldest = batches_[i].progress_at;
  }
  return oldest;
}

SignerBatch SignerProcess::take_unfinished(bool blame) {
  SignerBatch all;
  for (size_t i = 0; i < batches_.size(); ++i) {
    auto& [checks, signs] = batches_[i].work;
    if (blame && i < threads_ && !checks.empty()) {
      ++checks.front().failures;
    } else if (blame && i < threads_ && !signs.empty()) {
      ++signs.front().failures;
    }
    std::move(checks.begin(), checks.end(), std::back_inserter(all.checks));
    std::move(signs.begin(), signs.end(), std::back_inserter(all.signs));
  }
  batches_.clear();
  return all;
}

void SignerProcess::receive() {
  google::protobuf::Arena arena;
  bool was_reset = false;
  while (!ended_) {
    const ssize_t got = ::recv(socket_.get(), buffer_.data(), buffer_.size(), MSG_TRUNC);
    if (got < 0 && errno == EINTR) continue;
    // It left without reading a batch: what it said before comes after this error.
    if (got < 0 && errno == ECONNRESET && !std::exchange(was_reset, true)) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (got <= 0) {
      // A child that closed its socket is at its end. How it ended is known later, or never: see
      // SignerPool::take_reports().
      has_stopped_ = true;
      const std::string how = exit_status_ ? ": " + describe_exit(*exit_status_) : "";
      end(Error(ErrorCode::HsmUnavailable, fmt::format("signer {} stopped{}", pid_, how)));
      return;
    }
    auto* message = google::protobuf::Arena::CreateMessage<signer::v1::FromSigner>(&arena);
    if (static_cast<size_t>(got) > buffer_.size() ||
        !message->ParseFromArray(buffer_.data(), static_cast<int>(got))) {
      end(Error(ErrorCode::SignerProtocol, "a message of the signer cannot be read"));
      return;
    }
    handle(*message);
  }
}

void SignerProcess::handle(const signer::v1::FromSigner& message) {
  if (message.has_failed()) {
    handle_failure(message.failed());
    return;
  }
  if (message.phase() != signer::v1::PHASE_NONE) {
    handle_phase(message.phase());
    return;
  }
  if (message.has_ready()) {
    if (phase_ != SignerPhase::LoggedIn) {
      end(Error(ErrorCode::SignerProtocol, "a signer is ready that has not logged in"));
      return;
    }
    enter(SignerPhase::Ready);
    events_.on_ready(*this, message.ready());
    return;
  }
  for (const signer::v1::CheckResult& result : message.checks()) {
    if (!handle_check(result)) {
      end(Error(
          ErrorCode::SignerProtocol,
          fmt::format("a result for check {} that the signer does not have", result.check_id())));
      return;
    }
  }
  for (const signer::v1::SignResult& result : message.results()) {
    if (!handle_result(result)) {
      end(Error(ErrorCode::SignerProtocol,
                fmt::format("a result for intent {} that the signer does not have",
                            result.issuance_id())));
      return;
    }
  }
  start_clocks();
  events_.on_progress(*this);
}

void SignerProcess::handle_failure(const signer::v1::Failed& failed) {
  const auto code = find_error_code(failed.code());
  Error reason(code.value_or(ErrorCode::SignerProtocol), failed.detail());
  // After a login that was accepted too: it may try again before it is Ready, and be refused then.
  const bool may_wait = phase_ == SignerPhase::LoggingIn || phase_ == SignerPhase::LoggedIn;
  if (!failed.waits_for_pin() || !may_wait) {
    end(std::move(reason));
    return;
  }
  enter(SignerPhase::PinRefused);
  events_.on_pin_refused(*this, std::move(reason));
}

void SignerProcess::handle_phase(signer::v1::Phase phase) {
  if (phase == signer::v1::PHASE_PREPARED && phase_ == SignerPhase::Starting) {
    enter(SignerPhase::Prepared);
  } else if (phase == signer::v1::PHASE_LOGGED_IN && phase_ == SignerPhase::LoggingIn) {
    enter(SignerPhase::LoggedIn);
  } else if (phase == signer::v1::PHASE_NEW_PIN && phase_ == SignerPhase::PinRefused) {
    enter(SignerPhase::NewPin);
  } else {
    end(Error(ErrorCode::SignerProtocol, "a phase of its start comes at a wrong time"));
    return;
  }
  events_.on_phase(*this);
}

bool SignerProcess::handle_check(const signer::v1::CheckResult& result) {
  for (Batch& batch : batches_) {
    auto job = take_job(batch.work.checks, [&](const CheckJob& each) {
      return each.request->id == result.check_id();
    });
    if (!job) continue;
    batch.progress_at = clock_.steady();
    events_.on_checked(*this, std::move(*job), result);
    return true;
  }
  return false;
}

bool SignerProcess::handle_result(const signer::v1::SignResult& result) {
  for (Batch& batch : batches_) {
    auto job = take_job(batch.work.signs, [&](const SignJob& each) {
      return each.intent->issuance_id() == result.issuance_id();
    });
    if (!job) continue;
    batch.progress_at = clock_.steady();
    if (result.error_code() == 0 && !result.forgotten()) ++signatures_;
    events_.on_result(*this, std::move(*job), result);
    return true;
  }
  return false;
}

void SignerProcess::start_clocks() {
  // A batch that moves up to be one of the running ones starts its time now.
  const SteadyTime now = clock_.steady();
  size_t kept = 0;
  for (size_t i = 0; i < batches_.size(); ++i) {
    if (batches_[i].is_done()) continue;
    if (i >= threads_ && kept < threads_) batches_[i].progress_at = now;
    if (kept != i) batches_[kept] = std::move(batches_[i]);
    ++kept;
  }
  batches_.resize(kept);
}

void SignerProcess::end(Error reason) {
  if (ended_) return;
  ended_ = true;
  watch_.reset();
  events_.on_ended(*this, std::move(reason));
}

}  // namespace linesign
