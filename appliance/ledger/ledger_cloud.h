// LedgerCloud: the outbox of the ledger: which certificate is known to which AWS account.
//
// A target is an account and a region. An order feeds targets. A certificate gets its
// `registration` row when it is its turn, not when it is issued: issuing writes nothing here.
// Everything below may be repeated after a lost reply; nothing that is Registered is ever handed
// out again.
//
// Durability  as in ledger.h: the calls that change something belong inside of a transaction
// Errors      kind Refuse: nothing was done. CloudTargetUnknown, CloudTargetMoved, OrderUnknown;
//             InputInvalid for a limit, a task or a value that cannot be; CloudRecordWrong for
//             tables that contradict themselves: no trouble here ends the issuing's transaction
// Limits      no call looks at more rows than the limits below say, however large the ledger is
// Threads     that of the ledger
// Source      docs/ledger.md
#ifndef LINESIGN_APPLIANCE_LEDGER_LEDGER_CLOUD_H_
#define LINESIGN_APPLIANCE_LEDGER_LEDGER_CLOUD_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/ledger/ledger.h"
#include "appliance/records/cloud_records.h"
#include "protocol/base/bytes.h"
#include "protocol/base/clock.h"
#include "protocol/base/ids.h"
#include "protocol/base/result.h"

namespace linesign {

class LedgerCloud final {
 public:
  LedgerCloud(const LedgerCloud&) = delete;
  LedgerCloud& operator=(const LedgerCloud&) = delete;
  ~LedgerCloud();

  // Targets that are not named are no longer configured; feeds that an earlier plan named and this
  // one does not stop where they are. CloudTargetMoved: a name was another account or region
  // before.
  Result<void> set_plan(const CloudPlan& plan, UnixTime now);
  // By an operator's word: stays whatever later plans say. Begins with the order's first
  // certificate, or where it had stopped.
  Result<void> set_feed(const CloudFeed& feed, bool is_active, UnixTime now);

  // The oldest waiting ones above `after`, in the order in which they were issued, at most `limit`.
  // Takes in what was issued meanwhile. Nothing is locked: the same ones come again until they are
  // booked.
  Result<std::vector<CloudItem>> claim(std::string_view target,
                                       uint64_t after,
                                       uint32_t limit,
                                       UnixTime now);
  // Each of them for itself: a wrong one is refused, the others count. Registered needs the id that
  // this ledger computes for the certificate.
  Result<CloudBooked> book(std::string_view target,
                           std::span<const CloudBooking> bookings,
                           UnixTime now);
  // Parked ones wait again, at most `limit`; absent code: all of them. Gives their number.
  Result<uint64_t> release(std::string_view target,
                           std::optional<uint32_t> code,
                           uint32_t limit,
                           UnixTime now);
  // The one with this number; 0: it is not parked.
  Result<uint64_t> release_one(std::string_view target, uint64_t number, UnixTime now);

  // The same target and key again give the task that is there.
  Result<BulkTask> create_task(std::string_view target, std::string_view object_key, UnixTime now);
  // Puts the oldest waiting ones into a planned task until it has `lines`, at most kMaxCloudMoves
  // at a time. No more to come: the number of lines is the same as before.
  Result<BulkTask> fill_task(uint64_t task_id, uint32_t lines, UnixTime now);
  // All rows that were sent with it, in the order of the manifest, whatever became of them since.
  Result<std::vector<CloudItem>> task_items(uint64_t task_id, uint64_t after, uint32_t limit);
  // Forward only, the same state again is fine. Booked and Failed want that no row is InTask.
  Result<BulkTask> update_task(uint64_t task_id, const BulkTaskChange& change, UnixTime now);
  // What is still InTask waits again, at most `limit`. Gives their number.
  Result<uint64_t> return_task_items(uint64_t task_id, uint32_t limit, UnixTime now);
  // Those of a target that are neither Booked nor Failed, oldest first.
  Result<std::vector<BulkTask>> open_tasks(std::string_view target);

  // Readers. Inside or outside a transaction.
  Result<std::vector<CloudTargetStatus>> status();
  // Over all configured targets; absent if there is none.
  Result<std::optional<CloudBacklog>> backlog();
  // Those with a row; absent state: all. Looking for parked ones is quick, for others it is not.
  Result<RegistrationPage> registrations(std::string_view target,
                                         std::optional<RegistrationState> state,
                                         uint64_t after,
                                         uint32_t limit);
  Result<CertificatePage> certificates(std::string_view order_id, uint64_t after, uint32_t limit);
  // All that certificates were or may be signed with, in the order of their first use.
  Result<std::vector<LedgerCa>> cas();

 private:
  friend class Ledger;
  class Implementation;
  explicit LedgerCloud(std::unique_ptr<Implementation> implementation);
  static Result<std::unique_ptr<LedgerCloud>> open(Ledger::Implementation& ledger);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_LEDGER_LEDGER_CLOUD_H_
