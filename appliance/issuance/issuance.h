// Issuance: the life of a request, from a station's call to the reply with a durable certificate.
//
//   issue() ─ check ─► INTENT row ─► signer ─► certificate row ─► reply
//                          └────────► void row (the signer refused: nothing was signed) ─► refusal
//
// Each arrow into a row is a transaction of GroupCommit, shared with whatever else is waiting. What
// is in memory here can be lost at any moment: the ledger's open intents are the truth, and
// recover() takes them up again with the same bytes before any new work.
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
#include <unordered_map>
#include <vector>

#include "appliance/issuance/admission.h"
#include "appliance/issuance/clock_guard.h"
#include "appliance/issuance/health.h"
#include "appliance/ledger/group_commit.h"
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
};

struct IssuanceCounters {
  uint64_t issued = 0;   // certificates that became durable, since start
  uint64_t refused = 0;  // requests that will never succeed
  uint64_t busy = 0;     // requests over max_in_flight
};

class Issuance final {
 public:
  // Hands a recorded intent to the signers, with the station that asked.
  using Sign = std::function<void(
      std::shared_ptr<const RecordedIntent>, int64_t station_id, Priority priority)>;

  Issuance(EventLoop& loop,
           ClockGuard& clock,
           Health& health,
           GroupCommit& ledger,
           CertificateBuilder builder,
           IssuanceLimits limits,
           Sign sign);
  Issuance(const Issuance&) = delete;
  Issuance& operator=(const Issuance&) = delete;
  ~Issuance();

  void issue(const StationIdentity& station, const IssueCall& call, CertificateReply reply);
  void fetch(const StationIdentity& station, const FetchCall& call, CertificateReply reply);
  void confirm(const ConfirmCall& call, ConfirmReply reply);

  // From the signers: the verified signature, or an error of kind Refuse.
  void on_signed(const RecordedIntent& intent, Result<ByteView> signature);

  // The ledger is in doubt: everything in flight is answered "try later" and forgotten.
  void abandon(const Error& error);
  // Finishes these intents; Cause::Recovery stands until all of them have an end.
  void recover(std::vector<RecordedIntent> intents);

  // Deliveries ride along with other writes; at the end there may be none.
  void write_deliveries();

  uint32_t in_flight() const { return static_cast<uint32_t>(items_.size() + recording_); }
  bool is_idle() const { return in_flight() == 0; }
  IssuanceCounters counters() const {
    return {.issued = issued_, .refused = refused_, .busy = admission_.turned_away()};
  }

 private:
  struct Waiter {
    CertificateReply reply;
    int64_t station_id = 0;
  };
  // An intent that is durable and has no end yet.
  struct Item {
    int64_t station_id = 0;  // whose place it has; 0: recovered
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

  Priority priority_of(int64_t station_id) const;
  Result<std::shared_ptr<Submission>> prepare(const StationIdentity& station,
                                              const IssueCall& call) const;
  void on_recorded(std::shared_ptr<Submission> submission, Result<IntentOutcome> outcome);
  void commit(uint64_t issuance_id, ByteView signature, Priority priority);
  void void_intent(uint64_t issuance_id, const Error& reason);
  void finish(uint64_t issuance_id, const Refusal* refusal, ByteView certificate);
  void note_latency(SteadyTime::duration latency);
  void deliver(uint64_t issuance_id, const Waiter& waiter, ByteView certificate);
  void deliver_stored(const StoredCertificate& stored, const Waiter& waiter);
  void refuse(const CertificateReply& reply, const Error& error);
  Refusal unavailable(const Error& error) const;
  // The deliveries that ride along with the next write.
  static Result<void> record_deliveries(Ledger& ledger, const std::vector<Delivery>& deliveries);
  std::vector<Delivery> take_deliveries();
  void sweep();

  const Clock& clock_;
  ClockGuard& clock_guard_;
  Health& health_;
  GroupCommit& ledger_;
  CertificateBuilder builder_;
  Admission admission_;
  Sign sign_;
  const decltype(IssuanceLimits::check_device_id) check_device_id_;
  std::unordered_map<uint64_t, Item> items_;  // by issuance id
  uint32_t recording_ = 0;                    // intents on their way into the ledger
  uint64_t generation_ = 0;                   // goes up with abandon()
  size_t recovering_ = 0;
  std::vector<Delivery> deliveries_;
  std::unique_ptr<Timer> sweeper_;
  uint64_t issued_ = 0;
  uint64_t refused_ = 0;
  SteadyTime::duration latency_{0};  // of the last requests
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ISSUANCE_ISSUANCE_H_
