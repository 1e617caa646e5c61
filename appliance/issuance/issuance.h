// Issuance: the life of a request, from a station's call to the reply with a durable certificate.
//
//   issue() ─► signer checks and builds ─► INTENT row ─► it signs ─► certificate row ─► reply
//                    └─► refusal                 └─► void row (nothing was signed) ─► refusal
//
// A request that cannot succeed is refused before anything is written. Each arrow into a row is a
// transaction of GroupCommit, shared with whatever else is waiting. What is in memory here can be
// lost at any moment: the ledger's open intents are the truth, and recover() takes them up again
// with the same bytes before any new work.
//
// A retry of an open intent joins it without a check. A request that waits long for its check is
// looked for in the ledger meanwhile: a certificate that is durable needs no signer.
//
// A station that sends many CSRs that fail their checks is not heard for a while: StationConduct.
// While the ledger takes long over what it was given, Cause::Ledger stands.
//
// Errors   towards stations: Refuse kinds as they are; everything else becomes Unavailable, Busy or
//          Draining with a time to come again
// Limits   max_in_flight requests; Admission says who hears Busy. A request is answered within
//          kReplyDeadline, done or not
// Threads  the event loop's thread only
// Source   design: invariants 1 to 5, 8 and 9
#ifndef LINESIGN_APPLIANCE_ISSUANCE_ISSUANCE_H_
#define LINESIGN_APPLIANCE_ISSUANCE_ISSUANCE_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "appliance/issuance/admission.h"
#include "appliance/issuance/clock_guard.h"
#include "appliance/issuance/health.h"
#include "appliance/issuance/station_conduct.h"
#include "appliance/ledger/group_commit.h"
#include "appliance/signers/check_request.h"
#include "hsm/x509/certificate_builder.h"
#include "protocol/base/clock.h"
#include "protocol/event/event_loop.h"
#include "stations/listener/station_service.h"

namespace linesign {

struct IssuanceLimits {
  uint32_t max_in_flight = 4096;
  // May a device of this id be made for this order? Refuse kinds; empty: every id may.
  std::function<Result<void>(std::string_view order, std::string_view device_id)> check_device_id =
      {};
  // May this key, by its public_key_hash, be a device's? Refuse kinds; empty: every key may.
  std::function<Result<void>(const Sha256& key_hash)> check_key = {};
  // A station has to wait from now on, after a CSR that failed with this error. May be empty.
  std::function<void(const StationIdentity&, const Error&, std::chrono::milliseconds wait)>
      on_throttled = {};
};

// What the signers do for a request.
struct SignerCalls {
  // Answered by on_checked(), once, unless the request is abandoned or unwanted before.
  std::function<void(std::shared_ptr<const CheckRequest>, Priority)> check;
  // Signs a recorded intent; best by the signer that has checked it.
  std::function<void(
      std::shared_ptr<const RecordedIntent>, const CheckedBy&, int64_t station_id, Priority)>
      sign;
  // Some of the requests that wait for their check are marked is_unwanted.
  std::function<void()> drop_unwanted;
};

struct IssuanceCounters {
  uint64_t issued = 0;   // certificates that became durable, since start
  uint64_t refused = 0;  // requests that will never succeed
  uint64_t busy = 0;     // requests over max_in_flight
};

class Issuance final {
 public:
  Issuance(EventLoop& loop,
           ClockGuard& clock,
           Health& health,
           GroupCommit& ledger,
           CertificateBuilder builder,
           IssuanceLimits limits,
           SignerCalls signers);
  Issuance(const Issuance&) = delete;
  Issuance& operator=(const Issuance&) = delete;
  ~Issuance();

  void issue(const StationIdentity& station, const IssueCall& call, CertificateReply reply);
  void fetch(const StationIdentity& station, const FetchCall& call, CertificateReply reply);
  void confirm(const ConfirmCall& call, ConfirmReply reply);

  // From the signers: who remembers what is checked, or why it cannot become an intent.
  void on_checked(const CheckRequest& request, const Result<CheckedBy>& checked);
  // From the signers: the verified signature, or an error of kind Refuse.
  void on_signed(const RecordedIntent& intent, Result<ByteView> signature);

  // The ledger is in doubt: everything in flight is answered "try later" and forgotten.
  void abandon(const Error& error);
  // Finishes these intents; Cause::Recovery stands until all of them have an end.
  void recover(std::vector<RecordedIntent> intents);

  // Deliveries ride along with other writes; at the end there may be none.
  void write_deliveries();

  uint32_t in_flight() const {
    return static_cast<uint32_t>(items_.size() + checking_.size() + recording_.size());
  }
  bool is_idle() const { return in_flight() == 0; }
  IssuanceCounters counters() const {
    return {.issued = issued_, .refused = refused_, .busy = admission_.turned_away()};
  }
  const StationConduct& conduct() const { return conduct_; }

 private:
  struct Waiter {
    CertificateReply reply;  // empty: it was answered, and nobody waits for it any more
    StationIdentity station;
    SteadyTime since;
  };
  using Late = std::vector<std::pair<Waiter, ErrorCode>>;
  // An intent that is durable and has no end yet.
  struct Item {
    int64_t station_id = 0;  // whose place it has; 0: recovered
    std::string order_id;    // this and the next two: not of a recovered one
    RequestId request_id{};
    Sha256 csr_hash{};
    std::shared_ptr<const RecordedIntent> intent;
    std::vector<Waiter> waiters;
    SteadyTime received_at;
    bool recovered = false;
    bool is_ending = false;  // its certificate or void row is on its way into the ledger
  };
  struct Submission;
  struct Delivery {
    uint64_t issuance_id;
    int64_t station_id;
    UnixTime at;
  };
  struct HashOfHash {
    size_t operator()(const Sha256& hash) const;
  };

  // Everything that goes to the ledger, so that sweep() sees whether it comes back.
  template <typename T, typename Work, typename Done>
  void write(Work work, Done done, Priority priority = Priority::Normal) {
    ++ledger_asked_;
    ledger_.write<T>(
        std::move(work),
        [this, done = std::move(done)](Result<T> result) {
          ++ledger_answered_;
          done(std::move(result));
        },
        priority);
  }

  Priority priority_of(int64_t station_id) const;
  Result<std::shared_ptr<Submission>> prepare(const StationIdentity& station,
                                              const IssueCall& call) const;
  Result<void> judge(const IssueCall& call, const Sha256& key_hash) const;
  Result<void> still_in_order(const Submission& submission) const;
  void record(std::shared_ptr<Submission> submission);
  void on_recorded(Submission& submission, Result<IntentOutcome> outcome);
  void begin(Submission& submission, RecordedIntent recorded);
  bool join_open(Submission& submission);
  static void join(Item& item, Waiter waiter);
  void look_up(const std::shared_ptr<const Submission>& submission);
  void on_looked_up(uint64_t check_id, const Result<IntentOutcome>& outcome);
  void commit(uint64_t issuance_id, ByteView signature, Priority priority);
  void void_intent(uint64_t issuance_id, const Error& reason);
  void finish(uint64_t issuance_id, const Refusal* refusal, ByteView certificate);
  void note_latency(SteadyTime::duration latency);
  void deliver(uint64_t issuance_id, const Waiter& waiter, ByteView certificate);
  void deliver_stored(const StoredCertificate& stored, const Waiter& waiter);
  void refuse(const Waiter& waiter, const Error& error);
  void note_refusal(const StationIdentity& station, const Error& error);
  Refusal unavailable(const Error& error) const;
  // The deliveries that ride along with the next write.
  static Result<void> record_deliveries(Ledger& ledger, const std::vector<Delivery>& deliveries);
  std::vector<Delivery> take_deliveries();
  // A fetch or a confirmation that the ledger has not answered yet; absent when sweep() did.
  uint64_t expect(Waiter waiter);
  std::optional<Waiter> take_expected(uint64_t question);
  void sweep();
  void collect_late_checks(SteadyTime now, Late& late);
  void collect_late(SteadyTime now, Late& late);
  void watch_ledger(SteadyTime now);

  const Clock& clock_;
  ClockGuard& clock_guard_;
  Health& health_;
  GroupCommit& ledger_;
  CertificateBuilder builder_;
  const IssuanceLimits limits_;
  Admission admission_;
  StationConduct conduct_;
  SignerCalls signers_;
  uint64_t last_check_id_ = 0;
  std::unordered_map<uint64_t, std::shared_ptr<Submission>> checking_;  // by check id
  bool has_unwanted_ = false;  // signers still have checks that nobody wants
  // Intents on their way into the ledger, by check id. abandon() forgets them.
  std::unordered_map<uint64_t, std::shared_ptr<Submission>> recording_;
  std::unordered_map<uint64_t, Item> items_;                       // by issuance id
  std::unordered_map<Sha256, uint64_t, HashOfHash> items_by_csr_;  // but for the recovered ones
  uint64_t last_question_ = 0;
  std::unordered_map<uint64_t, Waiter> asking_;  // fetches and confirmations, by question
  uint64_t ledger_asked_ = 0;
  uint64_t ledger_answered_ = 0;
  uint64_t ledger_answered_before_ = 0;  // when sweep() looked last
  SteadyTime ledger_moved_at_;
  int ledger_still_ = 0;          // looks since then
  bool is_ledger_stuck_ = false;  // and Health says so
  bool is_ledger_lost_ = false;   // abandon() until recover(): Health is told by others
  size_t recovering_ = 0;
  std::vector<Delivery> deliveries_;
  std::unique_ptr<Timer> sweeper_;
  uint64_t issued_ = 0;
  uint64_t refused_ = 0;
  SteadyTime::duration latency_{0};  // of the last requests
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ISSUANCE_ISSUANCE_H_
