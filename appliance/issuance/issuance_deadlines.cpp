// The part of Issuance that answers in time: retries, what waits for signers or the ledger for
// long, and the questions that the ledger answers alone.
#include <string>
#include <utility>

#include "appliance/issuance/submission.h"

namespace linesign {
namespace {

constexpr size_t kMaxWaitersPerItem = 8;
// Longer than a check takes in an appliance that is full and well.
constexpr std::chrono::seconds kLookUpAfter(2);
// A commit that takes so long is no slow disk, but one that hangs.
constexpr std::chrono::seconds kLedgerPatience(5);
// After a pause of the whole process one look finds nothing new, whatever the disk does.
constexpr int kLooksUntilStuck = 2;

}  // namespace

// The same bytes have passed their check, and the intent for them is durable.
bool Issuance::join_open(Submission& submission) {
  const auto known = items_by_csr_.find(submission.csr_hash);
  if (known == items_by_csr_.end()) return false;
  Item& item = items_.at(known->second);
  if (item.request_id != submission.request_id || item.order_id != submission.order_id ||
      item.intent->device_id() != submission.request.device_id)
    return false;
  admission_.leave(submission.request.station_id, false);
  join(item, std::move(submission.waiter));
  return true;
}

void Issuance::join(Item& item, Waiter waiter) {
  if (item.waiters.size() >= kMaxWaitersPerItem) {
    waiter.reply(tl::unexpected(Refusal{Error(ErrorCode::Busy), kUnavailableRetry}));
  } else {
    item.waiters.push_back(std::move(waiter));
  }
}

// What the ledger has for this request already: read, and nothing written.
void Issuance::look_up(const std::shared_ptr<const Submission>& submission) {
  write<IntentOutcome>(
      [submission](Ledger& ledger) {
        const Error nothing_new(ErrorCode::DeviceUnknown);
        NewIntent request;
        request.order_id = submission->order_id;
        request.device_id = submission->request.device_id;
        request.request_id = submission->request_id;
        request.csr_hash = submission->csr_hash;
        request.profile_hash = submission->profile_hash;
        request.objection = &nothing_new;
        return ledger.record_intent(request);
      },
      [this, id = submission->request.id](const Result<IntentOutcome>& outcome) {
        on_looked_up(id, outcome);
      });
}

void Issuance::on_looked_up(uint64_t check_id, const Result<IntentOutcome>& outcome) {
  const auto found = checking_.find(check_id);
  if (!outcome || found == checking_.end()) return;  // its check tells
  const auto* stored = std::get_if<StoredCertificate>(&*outcome);
  const auto* open = std::get_if<IntentOpen>(&*outcome);
  const auto item = open != nullptr ? items_.find(open->issuance_id) : items_.end();
  if (stored == nullptr && item == items_.end()) return;
  const std::shared_ptr<Submission> submission = std::move(found->second);
  checking_.erase(found);
  submission->request.is_unwanted = true;
  has_unwanted_ = true;
  admission_.leave(submission->request.station_id, false);
  if (stored != nullptr) {
    deliver_stored(*stored, submission->waiter);
  } else {
    join(item->second, std::move(submission->waiter));
  }
}

uint64_t Issuance::expect(Waiter waiter) {
  asking_.emplace(++last_question_, std::move(waiter));
  return last_question_;
}

std::optional<Issuance::Waiter> Issuance::take_expected(uint64_t question) {
  auto found = asking_.extract(question);
  if (found.empty()) return std::nullopt;
  return std::move(found.mapped());
}

void Issuance::fetch(const StationIdentity& station,
                     const FetchCall& call,
                     CertificateReply reply) {
  if (is_ledger_stuck_) {
    reply(tl::unexpected(unavailable(Error(ErrorCode::LedgerUnavailable))));
    return;
  }
  write<std::optional<StoredCertificate>>(
      [order = std::string(call.order_id), device = std::string(call.device_id)](Ledger& ledger) {
        return ledger.find_certificate(order, device);
      },
      [this, question = expect({std::move(reply), station, clock_.steady()})](
          const Result<std::optional<StoredCertificate>>& found) {
        const auto waiter = take_expected(question);
        if (!waiter) return;
        if (!found) {
          refuse(*waiter, found.error());
        } else if (!found->has_value()) {
          refuse(*waiter, Error(ErrorCode::DeviceUnknown));
        } else {
          deliver_stored(**found, *waiter);
        }
      });
}

void Issuance::confirm(const ConfirmCall& call, ConfirmReply reply) {
  if (is_ledger_stuck_) {
    reply(tl::unexpected(unavailable(Error(ErrorCode::LedgerUnavailable))));
    return;
  }
  const auto answer = [reply = std::move(reply)](const tl::expected<ByteView, Refusal>& result) {
    if (result) {
      reply({});
    } else {
      reply(tl::unexpected(result.error()));
    }
    return true;
  };
  write<void>(
      [order = std::string(call.order_id),
       device = std::string(call.device_id),
       hash = call.certificate_hash,
       now = clock_.now()](Ledger& ledger) {
        return ledger.record_confirmation(order, device, hash, now);
      },
      [this, question = expect({answer, {}, clock_.steady()})](const Result<void>& result) {
        const auto waiter = take_expected(question);
        if (!waiter) return;
        if (result) {
          waiter->reply(ByteView());
        } else if (result.error().kind() == ErrorKind::Refuse) {
          waiter->reply(tl::unexpected(Refusal{result.error(), std::chrono::milliseconds(0)}));
        } else {
          waiter->reply(tl::unexpected(unavailable(result.error())));
        }
      });
}

void Issuance::sweep() {
  const SteadyTime now = clock_.steady();
  watch_ledger(now);
  Late late;
  collect_late_checks(now, late);
  collect_late(now, late);
  if (std::exchange(has_unwanted_, false)) signers_.drop_unwanted();
  // When all are collected: an answer can bring the next request at once.
  for (const auto& [waiter, code] : late) waiter.reply(tl::unexpected(unavailable(Error(code))));
  if (recording_.empty()) write_deliveries();
  sweeper_->start(kSweepPeriod);
}

// A check for which nobody waits any more would keep the signers from those that are waited for.
void Issuance::collect_late_checks(SteadyTime now, Late& late) {
  for (auto each = checking_.begin(); each != checking_.end();) {
    Submission& submission = *each->second;
    const auto age = now - submission.waiter.since;
    if (age < kReplyDeadline) {
      if (age >= kLookUpAfter && !std::exchange(submission.is_looked_up, true))
        look_up(each->second);
      ++each;
      continue;
    }
    submission.request.is_unwanted = true;
    has_unwanted_ = true;
    admission_.leave(submission.request.station_id, false);
    late.emplace_back(std::move(submission.waiter), ErrorCode::HsmUnavailable);
    each = checking_.erase(each);
  }
}

// An intent is finished also when nobody waits for it, and keeps its place until then.
void Issuance::collect_late(SteadyTime now, Late& late) {
  const auto is_late = [now](const Waiter& waiter) { return now - waiter.since >= kReplyDeadline; };
  for (const auto& [id, submission] : recording_) {
    Waiter& waiter = submission->waiter;
    if (!waiter.reply || !is_late(waiter)) continue;
    late.emplace_back(waiter, ErrorCode::LedgerUnavailable);
    waiter.reply = nullptr;
  }
  for (auto& [id, item] : items_) {
    const auto code = item.is_ending ? ErrorCode::LedgerUnavailable : ErrorCode::HsmUnavailable;
    for (const Waiter& waiter : item.waiters) {
      if (is_late(waiter)) late.emplace_back(waiter, code);
    }
    std::erase_if(item.waiters, is_late);
  }
  for (const auto& [question, waiter] : asking_) {
    if (is_late(waiter)) late.emplace_back(waiter, ErrorCode::LedgerUnavailable);
  }
  std::erase_if(asking_, [&](const auto& each) { return is_late(each.second); });
}

// Each piece of work comes back, done or not, unless the disk hangs.
void Issuance::watch_ledger(SteadyTime now) {
  const bool has_moved =
      std::exchange(ledger_answered_before_, ledger_answered_) != ledger_answered_;
  ++ledger_still_;
  if (has_moved || ledger_asked_ == ledger_answered_ || is_ledger_lost_) {
    ledger_still_ = 0;
    ledger_moved_at_ = now;
  }
  const bool is_stuck =
      ledger_still_ >= kLooksUntilStuck && now - ledger_moved_at_ >= kLedgerPatience;
  if (is_stuck == std::exchange(is_ledger_stuck_, is_stuck)) return;
  if (is_stuck) {
    health_.set(Cause::Ledger,
                Error(ErrorCode::LedgerUnavailable, "the disk of the ledger does not answer"));
  } else {
    health_.clear(Cause::Ledger);
  }
}

}  // namespace linesign
