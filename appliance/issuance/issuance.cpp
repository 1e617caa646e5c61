#include "appliance/issuance/issuance.h"

#include <functional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "appliance/issuance/submission.h"

namespace linesign {
namespace {

// Another request for the same identity has its end within about that time.
constexpr std::chrono::milliseconds kInProgressRetry(100);
// Of the time that requests take at present, gathering them for a commit may add such a part, and
// there are two commits. More than that would leave the signers without work.
constexpr int kGatheringPart = 12;
constexpr int kLatencyMemory = 64;  // requests

}  // namespace

Issuance::Issuance(EventLoop& loop,
                   ClockGuard& clock,
                   Health& health,
                   GroupCommit& ledger,
                   CertificateBuilder builder,
                   IssuanceLimits limits,
                   SignerCalls signers)
    : clock_(clock.clock()),
      clock_guard_(clock),
      health_(health),
      ledger_(ledger),
      builder_(std::move(builder)),
      limits_(std::move(limits)),
      admission_(clock_, limits_.max_in_flight),
      conduct_(clock_),
      signers_(std::move(signers)),
      sweeper_(loop.make_timer([this] { sweep(); })) {
  ledger_moved_at_ = clock_.steady();
  sweeper_->start(kSweepPeriod);
}

Issuance::~Issuance() = default;

size_t Issuance::HashOfHash::operator()(const Sha256& hash) const {
  return std::hash<std::string_view>{}(as_text(hash));
}

void Issuance::issue(const StationIdentity& station,
                     const IssueCall& call,
                     CertificateReply reply) {
  if (!health_.is_producing()) {
    reply(tl::unexpected(unavailable(health_.reason())));
    return;
  }
  if (const auto wait = conduct_.wait_of(station.id)) {
    reply(tl::unexpected(Refusal{Error(ErrorCode::StationThrottled), *wait}));
    return;
  }
  if (const auto time = admission_.enter(station.id, call.request_id)) {
    reply(tl::unexpected(Refusal{Error(ErrorCode::Busy), *time}));
    return;
  }
  auto prepared = prepare(station, call);
  if (!prepared) {
    admission_.leave(station.id, false);
    refuse({std::move(reply), station, {}}, prepared.error());
    return;
  }
  std::shared_ptr<Submission> submission = std::move(*prepared);
  submission->waiter = {std::move(reply), station, clock_.steady()};
  if (join_open(*submission)) return;
  submission->request.id = ++last_check_id_;
  if (submission->objection) {  // only what was promised before is still given
    record(std::move(submission));
    return;
  }
  checking_.emplace(submission->request.id, submission);
  signers_.check({submission, &submission->request}, priority_of(station.id));
}

void Issuance::on_checked(const CheckRequest& request, const Result<CheckedBy>& checked) {
  auto found = checking_.extract(request.id);
  if (found.empty()) return;  // abandoned, or unwanted
  std::shared_ptr<Submission> submission = std::move(found.mapped());
  const int64_t station_id = submission->request.station_id;
  // A key that was judged otherwise before may have its certificate: the ledger knows.
  const bool is_asked = checked || checked.error().code() == ErrorCode::CsrKeyWeak;
  const auto still = still_in_order(*submission);
  if (is_asked && still) {
    if (checked) submission->checked_by = *checked;
    if (!checked) submission->objection = checked.error();
    record(std::move(submission));
    return;
  }
  admission_.leave(station_id, false);
  refuse(submission->waiter, is_asked ? still.error() : checked.error());
}

// Time has passed since the request came, and its date was drawn then.
Result<void> Issuance::still_in_order(const Submission& submission) const {
  if (!health_.is_producing() && health_.reason().code() != ErrorCode::Draining)
    return fail(health_.reason());
  LS_TRY(const UnixTime now, clock_guard_.now());
  const UnixTime issued_at = submission.request.issued_at;
  if (issued_at > now || now - issued_at > 2 * kReplyDeadline)
    return fail(ErrorCode::ClockInDoubt, "the clock was set while a request was checked");
  return {};
}

void Issuance::record(std::shared_ptr<Submission> submission) {
  const Priority priority = priority_of(submission->request.station_id);
  recording_.emplace(submission->request.id, submission);
  write<IntentOutcome>(
      [submission, deliveries = take_deliveries()](Ledger& ledger) -> Result<IntentOutcome> {
        LS_CHECK(record_deliveries(ledger, deliveries));
        return ledger.record_intent(submission->intent());
      },
      [this, submission](Result<IntentOutcome> outcome) {
        on_recorded(*submission, std::move(outcome));
      },
      priority);
}

Priority Issuance::priority_of(int64_t station_id) const {
  return admission_.is_one_of_few(station_id) ? Priority::Urgent : Priority::Normal;
}

Result<std::shared_ptr<Issuance::Submission>> Issuance::prepare(const StationIdentity& station,
                                                                const IssueCall& call) const {
  LS_TRY(const Csr csr, parse_csr(call.csr_der));
  LS_CHECK(builder_.check(csr, call.device_id));
  auto submission = std::make_shared<Submission>();
  CheckRequest& request = submission->request;
  LS_TRY(request.serial, make_serial());
  LS_TRY(request.issued_at, clock_guard_.now());
  LS_TRY(
      submission->tbs,
      builder_.build_tbs(
          csr,
          {.device_id = call.device_id, .serial = request.serial, .issued_at = request.issued_at}));
  request.station_id = station.id;
  request.device_id = call.device_id;
  request.tbs_hash = sha256(submission->tbs);
  request.csr = to_bytes(call.csr_der);
  submission->order_id = call.order_id;
  submission->request_id = call.request_id;
  submission->csr_hash = sha256(call.csr_der);
  submission->key_hash = public_key_hash(csr);
  submission->profile_hash = builder_.profile_hash();
  if (const auto allowed = judge(call, submission->key_hash); !allowed.has_value())
    submission->objection = allowed.error();
  return submission;
}

Result<void> Issuance::judge(const IssueCall& call, const Sha256& key_hash) const {
  if (limits_.check_device_id) LS_CHECK(limits_.check_device_id(call.order_id, call.device_id));
  if (limits_.check_key) LS_CHECK(limits_.check_key(key_hash));
  return {};
}

void Issuance::on_recorded(Submission& submission, Result<IntentOutcome> outcome) {
  // After abandon() nothing here is known any more; recover() brings back what was recorded.
  const bool is_current = recording_.erase(submission.request.id) > 0;
  auto* recorded = outcome ? std::get_if<RecordedIntent>(&*outcome) : nullptr;
  if (is_current && recorded != nullptr) {
    begin(submission, std::move(*recorded));
    return;
  }
  if (is_current) admission_.leave(submission.request.station_id, false);
  Waiter& waiter = submission.waiter;
  if (!waiter.reply) return;
  if (!outcome) {
    refuse(waiter, outcome.error());
    return;
  }
  if (auto* stored = std::get_if<StoredCertificate>(&*outcome)) {
    deliver_stored(*stored, waiter);
    return;
  }
  if (!is_current) {
    waiter.reply(tl::unexpected(unavailable(Error(ErrorCode::LedgerUnavailable))));
    return;
  }
  if (const auto* other = std::get_if<IdentityInProgress>(&*outcome)) {
    waiter.reply(tl::unexpected(Refusal{Error(other->answer), kInProgressRetry}));
    return;
  }
  const auto item = items_.find(std::get<IntentOpen>(*outcome).issuance_id);
  if (item == items_.end()) {
    waiter.reply(tl::unexpected(Refusal{Error(ErrorCode::Busy), kUnavailableRetry}));
    return;
  }
  join(item->second, std::move(waiter));
}

// A new intent is durable: it is signed, also when nobody waits for it any more.
void Issuance::begin(Submission& submission, RecordedIntent recorded) {
  conduct_.note_new_intent(submission.request.station_id);
  auto intent = std::make_shared<const RecordedIntent>(std::move(recorded));
  Item& item = items_[intent->issuance_id()];
  item.station_id = submission.request.station_id;
  item.order_id = submission.order_id;
  item.request_id = submission.request_id;
  item.csr_hash = submission.csr_hash;
  item.intent = intent;
  item.received_at = submission.waiter.since;
  if (submission.waiter.reply) item.waiters.push_back(std::move(submission.waiter));
  items_by_csr_[item.csr_hash] = intent->issuance_id();
  signers_.sign(
      std::move(intent), submission.checked_by, item.station_id, priority_of(item.station_id));
}

void Issuance::on_signed(const RecordedIntent& intent, Result<ByteView> signature) {
  const uint64_t id = intent.issuance_id();
  // A second result for an intent that has its end, or that abandon() forgot.
  const auto item = items_.find(id);
  if (item == items_.end()) return;
  // A signer may still have the batch from before abandon() when recover() has sent it out again.
  if (std::exchange(item->second.is_ending, true)) return;
  if (!signature) {
    void_intent(id, signature.error());
    return;
  }
  commit(id, *signature, priority_of(item->second.station_id));
}

void Issuance::commit(uint64_t issuance_id, ByteView signature, Priority priority) {
  auto kept = std::make_shared<const Bytes>(to_bytes(signature));
  const UnixTime now = clock_.now();
  write<void>([issuance_id, kept, now](
                  Ledger& ledger) { return ledger.record_certificate(issuance_id, *kept, now); },
              [this, issuance_id, kept](const Result<void>& result) {
                if (!result) return;  // in doubt: abandon() answers
                const auto item = items_.find(issuance_id);
                if (item == items_.end()) return;
                ++issued_;
                const auto certificate = assemble_certificate(item->second.intent->tbs(), *kept);
                const Refusal broken = unavailable(Error(ErrorCode::Internal));
                finish(issuance_id,
                       certificate ? nullptr : &broken,
                       certificate ? ByteView(*certificate) : ByteView());
              },
              priority);
}

void Issuance::void_intent(uint64_t issuance_id, const Error& reason) {
  const UnixTime now = clock_.now();
  write<void>([issuance_id, code = reason.code(), now](
                  Ledger& ledger) { return ledger.record_void(issuance_id, code, now); },
              [this, issuance_id, reason](const Result<void>& result) {
                if (!result) return;
                const auto item = items_.find(issuance_id);
                if (item != items_.end() && !item->second.waiters.empty())
                  note_refusal(item->second.waiters.front().station, reason);
                const Refusal refusal{reason, std::chrono::milliseconds(0)};
                finish(issuance_id, &refusal, {});
              });
}

// The intent has its end in the ledger: everybody who waits for it is answered.
void Issuance::finish(uint64_t issuance_id, const Refusal* refusal, ByteView certificate) {
  const auto found = items_.find(issuance_id);
  if (found == items_.end()) return;
  const Item item = std::move(found->second);
  items_.erase(found);
  if (!item.recovered) items_by_csr_.erase(item.csr_hash);
  admission_.leave(item.station_id, refusal == nullptr);
  note_latency(clock_.steady() - item.received_at);
  for (const Waiter& waiter : item.waiters) {
    if (refusal != nullptr) {
      waiter.reply(tl::unexpected(*refusal));
    } else {
      deliver(issuance_id, waiter, certificate);
    }
  }
  if (item.recovered && --recovering_ == 0) health_.clear(Cause::Recovery);
}

void Issuance::note_latency(SteadyTime::duration latency) {
  latency_ += (latency - latency_) / kLatencyMemory;
  ledger_.gather_for(
      std::chrono::duration_cast<std::chrono::microseconds>(latency_ / kGatheringPart));
}

void Issuance::deliver(uint64_t issuance_id, const Waiter& waiter, ByteView certificate) {
  if (waiter.reply(certificate))
    deliveries_.push_back({issuance_id, waiter.station.id, clock_.now()});
}

void Issuance::deliver_stored(const StoredCertificate& stored, const Waiter& waiter) {
  const auto certificate = assemble_certificate(stored.tbs, stored.signature);
  if (certificate) {
    deliver(stored.issuance_id, waiter, *certificate);
  } else {
    waiter.reply(tl::unexpected(unavailable(Error(ErrorCode::LedgerCorrupt))));
  }
}

void Issuance::abandon(const Error& error) {
  is_ledger_lost_ = true;
  is_ledger_stuck_ = false;
  recording_.clear();
  recovering_ = 0;
  deliveries_.clear();
  admission_.leave_all();
  const auto checking = std::exchange(checking_, {});
  for (const auto& [id, submission] : checking) {
    submission->waiter.reply(tl::unexpected(unavailable(error)));
  }
  items_by_csr_.clear();
  const auto items = std::exchange(items_, {});
  for (const auto& [id, item] : items) {
    for (const Waiter& waiter : item.waiters) waiter.reply(tl::unexpected(unavailable(error)));
  }
}

void Issuance::recover(std::vector<RecordedIntent> intents) {
  is_ledger_lost_ = false;
  for (const RecordedIntent& each : intents) {
    if (each.profile_hash() == builder_.profile_hash()) continue;
    health_.set(
        Cause::Recovery,
        Error(ErrorCode::LedgerProfileChanged,
              fmt::format("intent {} for device {}; put the former profile and CA certificate "
                          "back and start once, then change them",
                          each.issuance_id(),
                          each.device_id())));
    return;
  }
  if (intents.empty()) {
    health_.clear(Cause::Recovery);
    return;
  }
  health_.set(
      Cause::Recovery,
      Error(ErrorCode::Unavailable,
            fmt::format("{} requests from before the restart are finished first", intents.size())));
  recovering_ = intents.size();
  for (RecordedIntent& each : intents) {
    auto intent = std::make_shared<const RecordedIntent>(std::move(each));
    Item& item = items_[intent->issuance_id()];
    item.intent = intent;
    item.received_at = clock_.steady();
    item.recovered = true;
    signers_.sign(std::move(intent), {}, 0, Priority::Normal);
  }
}

void Issuance::refuse(const Waiter& waiter, const Error& error) {
  if (error.kind() == ErrorKind::Refuse) {
    note_refusal(waiter.station, error);
    waiter.reply(tl::unexpected(Refusal{error, std::chrono::milliseconds(0)}));
    return;
  }
  waiter.reply(tl::unexpected(unavailable(error)));
}

void Issuance::note_refusal(const StationIdentity& station, const Error& error) {
  ++refused_;
  const auto wait = conduct_.note_refusal(station, error.code());
  if (wait && limits_.on_throttled) limits_.on_throttled(station, error, *wait);
}

// What is wrong inside is for the operator, not for every station: the code tells it, no more.
Refusal Issuance::unavailable(const Error& error) const {
  if (error.code() == ErrorCode::Draining || error.code() == ErrorCode::Busy)
    return {error, kUnavailableRetry};
  const bool needs_operator = error.kind() == ErrorKind::Operator;
  return {Error(ErrorCode::Unavailable, std::string(error_info(error.code()).name)),
          needs_operator ? kOperatorRetry : kUnavailableRetry};
}

Result<void> Issuance::record_deliveries(Ledger& ledger, const std::vector<Delivery>& deliveries) {
  for (const Delivery& each : deliveries)
    LS_CHECK(ledger.record_delivery(each.issuance_id, each.station_id, each.at));
  return {};
}

std::vector<Issuance::Delivery> Issuance::take_deliveries() {
  return std::exchange(deliveries_, {});
}

void Issuance::write_deliveries() {
  if (deliveries_.empty()) return;
  write<void>([deliveries = take_deliveries()](
                  Ledger& ledger) { return record_deliveries(ledger, deliveries); },
              [](const Result<void>& /*result*/) {});
}

}  // namespace linesign
