// The part of the pool that runs for every certificate: what goes to which signer, and what comes
// back.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "appliance/signers/signer_pool.h"
#include "hsm/x509/csr.h"

namespace linesign {
namespace {

constexpr size_t kShortBatchItems = 2;
// To check anew costs less than to wait for the signer that did it, if its signatures take so long
// or nothing came of it for that time.
constexpr std::chrono::milliseconds kSlowSignature(2);
constexpr std::chrono::milliseconds kStuck(20);

}  // namespace

void SignerPool::note_urgent(Priority priority) {
  if (priority == Priority::Urgent) urgent_until_ = clock_.steady() + kUrgentMemory;
}

void SignerPool::check(std::shared_ptr<const CheckRequest> request, Priority priority) {
  note_urgent(priority);
  work_.add(CheckJob{.request = std::move(request)});
  dispatch();
}

void SignerPool::sign(std::shared_ptr<const RecordedIntent> intent,
                      const CheckedBy& checked_by,
                      int64_t station_id,
                      Priority priority) {
  note_urgent(priority);
  SignJob job;
  job.tbs_hash = sha256(intent->tbs());
  job.station_id = station_id;
  job.check_id = checked_by.check_id;
  job.intent = std::move(intent);
  const auto slot = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& each) {
    return each.process != nullptr && each.process->pid() == checked_by.signer;
  });
  if (job.check_id != 0 && slot != slots_.end()) {
    work_.add_checked(static_cast<size_t>(slot - slots_.begin()), std::move(job));
  } else {
    work_.add(std::move(job));
  }
  dispatch();
}

void SignerPool::forget_queue() { work_.clear(); }

void SignerPool::on_checked(const SignerProcess& signer,
                            const CheckJob& job,
                            const signer::v1::CheckResult& result) {
  if (result.error_code() == 0) {
    events_.on_checked(*job.request, CheckedBy{job.request->id, signer.pid()});
    return;
  }
  const auto code = find_error_code(result.error_code());
  const Error error(code.value_or(ErrorCode::SignerProtocol), result.detail());
  if (error.kind() != ErrorKind::Refuse)
    events_.on_trouble(error.with_context("a request was not checked"));
  events_.on_checked(*job.request, fail(error));
}

void SignerPool::on_result(SignJob job, const signer::v1::SignResult& result) {
  if (result.forgotten()) {
    work_.retry(std::move(job));
    return;
  }
  if (result.error_code() == 0) {
    pace_.record(std::chrono::microseconds(result.sign_us()));
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
  work_.retry(std::move(job));
}

BatchLimits SignerPool::batch_limits() const {
  const size_t items = clock_.steady() < urgent_until_ ? kShortBatchItems : kMaxBatchItems;
  const auto threads = static_cast<size_t>(std::max(settings_.threads_per_signer, 1));
  return {.checks = items,
          .signs = pace_.batch_items(items),
          .threads = threads,
          .lanes = std::max<size_t>(ready_, 1) * threads};
}

// Of those for which there is work the one with the most room, in turns where several have as much;
// none of `full`.
std::optional<size_t> SignerPool::least_busy(const std::vector<size_t>& full) {
  std::optional<size_t> best;
  size_t most = 0;
  for (size_t i = 1; i <= slots_.size(); ++i) {
    const size_t index = (next_slot_ + i) % slots_.size();
    const SignerProcess* process = slots_[index].process.get();
    if (process == nullptr || !process->is_ready() || process->free_batches() <= most) continue;
    if (!work_.has_work_for(index)) continue;
    if (std::find(full.begin(), full.end(), index) != full.end()) continue;
    best = index;
    most = process->free_batches();
  }
  if (best) next_slot_ = *best;
  return best;
}

void SignerPool::dispatch() {
  std::vector<size_t> full;  // their sockets
  for (;;) {
    const std::optional<size_t> index = least_busy(full);
    if (!index && help_out(full)) continue;
    if (!index) return;
    SignerBatch batch = work_.take(*index, batch_limits());
    if (slots_[*index].process->send(batch)) continue;
    work_.put_back(*index, std::move(batch));
    full.push_back(*index);
  }
}

bool SignerPool::is_stuck(const SignerProcess& process) const {
  if (process.free_batches() > 0) return false;
  const auto progress = process.oldest_progress();
  return pace_.typical() >= kSlowSignature || (progress && clock_.steady() - *progress >= kStuck);
}

// An idle signer takes over what another one has checked and cannot come to.
bool SignerPool::help_out(const std::vector<size_t>& full) {
  const auto is_idle = [&](const Slot& slot) {
    const auto index = static_cast<size_t>(&slot - slots_.data());
    return slot.process != nullptr && slot.process->is_ready() && slot.process->is_idle() &&
           std::find(full.begin(), full.end(), index) == full.end();
  };
  if (!full.empty() && work_.has_common()) return false;
  if (std::none_of(slots_.begin(), slots_.end(), is_idle)) return false;
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (!work_.has_own(i) || !is_stuck(*slots_[i].process)) continue;
    work_.share_one(i);
    return true;
  }
  return false;
}

}  // namespace linesign
