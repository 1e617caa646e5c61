// LedgerCloud::Implementation: its statements, and what its parts share.
//
// Nothing is kept in memory between two calls but compiled statements: what a lost transaction
// takes back needs no undoing here.
#ifndef LINESIGN_APPLIANCE_LEDGER_LEDGER_CLOUD_IMPLEMENTATION_H_
#define LINESIGN_APPLIANCE_LEDGER_LEDGER_CLOUD_IMPLEMENTATION_H_

#include <map>
#include <utility>

#include "appliance/ledger/ledger_cloud.h"
#include "appliance/ledger/ledger_cloud_statements.h"
#include "appliance/ledger/ledger_implementation.h"
#include "appliance/ledger/row_time.h"

namespace linesign {

struct CloudTargetRow {
  int64_t id = 0;
  CloudTarget target;
  bool is_configured = false;
};

struct CloudFeedRow {
  int64_t order_id = 0;
  bool is_active = false;
  int64_t next_issuance_id = 1;
  int64_t taken = 0;
};

struct RegistrationRow {
  RegistrationState state = RegistrationState::Waiting;
  int64_t steps = 0;
  int64_t attempts = 0;
  std::optional<int64_t> task_id;
  int64_t code = 0;
  std::string reason;
  std::optional<Sha256> certificate_id;
};

struct BulkTaskRow {
  BulkTask task;
  int64_t target_id = 0;
};

// Tasks that rows of one call leave, by id.
struct LeftTask {
  BulkTaskRow task;
  int64_t rows = 0;
};
using LeftTasks = std::map<int64_t, LeftTask>;

// What one call changes in registration_count.
class CloudTally final {
 public:
  void add(RegistrationState state, int64_t code = 0) { ++changes_[key(state, code)]; }
  void remove(RegistrationState state, int64_t code = 0) { --changes_[key(state, code)]; }
  // Between states that have no codes.
  void move(RegistrationState from, RegistrationState to, int64_t rows) {
    changes_[key(from, 0)] -= rows;
    changes_[key(to, 0)] += rows;
  }
  Result<void> save(CloudStatements& sql, int64_t target_id) const;

 private:
  using Key = std::pair<int64_t, int64_t>;
  static Key key(RegistrationState state, int64_t code) {
    return {static_cast<int64_t>(state), state == RegistrationState::Parked ? code : 0};
  }
  std::map<Key, int64_t> changes_;
};

class LedgerCloud::Implementation final {
 public:
  Implementation(Ledger::Implementation& ledger, CloudStatements statements)
      : ledger_(&ledger), sql_(std::move(statements)) {}

  // Inside of a savepoint, so that what goes wrong here alone never takes the intents and
  // certificates of the same transaction with it: they are all that the production lives on.
  template <typename Body>
  std::invoke_result_t<Body> write(Body&& body) {
    return ledger_->write([&]() -> std::invoke_result_t<Body> {
      LS_CHECK(sql_[CloudSql::Savepoint].execute());
      auto result = std::forward<Body>(body)();
      const bool is_wrong = !result.has_value() && result.error().code() == ErrorCode::Internal;
      const bool is_refused = !result.has_value() && result.error().kind() == ErrorKind::Refuse;
      if (!result.has_value() && !is_wrong && !is_refused) return result;  // the ledger itself
      if (!result.has_value()) LS_CHECK(sql_[CloudSql::RollBackTo].execute());
      LS_CHECK(sql_[CloudSql::ReleaseSavepoint].execute());
      if (is_wrong) return fail(ErrorCode::CloudRecordWrong, result.error().detail());
      return result;
    });
  }
  template <typename Body>
  std::invoke_result_t<Body> read(Body&& body) {
    return ledger_->read(std::forward<Body>(body));
  }

  // ledger_cloud_plan.cpp
  Result<void> set_plan(const CloudPlan& plan, UnixTime now);
  Result<void> set_feed(const CloudFeed& feed, bool is_active, UnixTime now);

  // ledger_cloud_claim.cpp
  Result<std::vector<CloudItem>> claim(std::string_view target,
                                       uint64_t after,
                                       uint32_t limit,
                                       UnixTime now);

  // ledger_cloud_booking.cpp
  Result<CloudBooked> book(std::string_view target,
                           std::span<const CloudBooking> bookings,
                           UnixTime now);
  Result<uint64_t> release(std::string_view target,
                           std::optional<uint32_t> code,
                           uint32_t limit,
                           UnixTime now);
  Result<uint64_t> release_one(std::string_view target, uint64_t number, UnixTime now);

  // ledger_cloud_tasks.cpp
  Result<BulkTask> create_task(std::string_view target, std::string_view object_key, UnixTime now);
  Result<BulkTask> fill_task(uint64_t task_id, uint32_t lines, UnixTime now);
  Result<std::vector<CloudItem>> task_items(uint64_t task_id, uint64_t after, uint32_t limit);
  Result<BulkTask> update_task(uint64_t task_id, const BulkTaskChange& change, UnixTime now);
  Result<uint64_t> return_task_items(uint64_t task_id, uint32_t limit, UnixTime now);
  Result<std::vector<BulkTask>> open_tasks(std::string_view target);

  // ledger_cloud_status.cpp
  Result<std::vector<CloudTargetStatus>> status();
  Result<std::optional<CloudBacklog>> backlog();
  Result<RegistrationPage> registrations(std::string_view target,
                                         std::optional<RegistrationState> state,
                                         uint64_t after,
                                         uint32_t limit);
  Result<CertificatePage> certificates(std::string_view order_id, uint64_t after, uint32_t limit);
  Result<std::vector<LedgerCa>> cas();

 private:
  Result<CloudTargetRow> target_of(std::string_view name);
  Result<std::vector<CloudTargetRow>> all_targets();
  Result<std::vector<CloudFeedRow>> feeds_of(int64_t target_id);
  Result<int64_t> id_of_order(std::string_view name);
  Result<void> check_plan(const CloudPlan& plan);

  // Takes in what was issued, until at least `wanted` rows above `after` wait or nothing is left.
  Result<void> take_in(int64_t target_id, uint64_t after, uint32_t wanted, UnixTime now);
  Result<void> settle_expected(int64_t target_id, CloudTally& tally, UnixTime now);
  Result<void> drop_void(int64_t target_id, int64_t issuance_id, CloudTally& tally);
  Result<void> take_from(
      const CloudFeedRow& feed, int64_t target_id, int64_t wanted, CloudTally& tally, UnixTime now);

  Result<std::optional<RegistrationRow>> find_row(int64_t target_id, int64_t issuance_id);
  Result<void> save_row(int64_t target_id,
                        int64_t issuance_id,
                        const RegistrationRow& before,
                        const RegistrationRow& after,
                        CloudTally& tally,
                        UnixTime now);
  Result<void> release_row(int64_t target_id,
                           int64_t issuance_id,
                           const RegistrationRow& before,
                           CloudTally& tally,
                           UnixTime now);
  Result<std::optional<Sha256>> certificate_id_of(int64_t issuance_id);
  // Empty: it may be booked so.
  Result<std::string> objection(const CloudBooking& booking,
                                const std::optional<RegistrationRow>& row);

  Result<BulkTaskRow> task_of(uint64_t task_id);
  Result<void> count_lines(const BulkTaskRow& task, int64_t difference, UnixTime now);
  // For a row that was InTask: if the task is only planned, it was never sent with it.
  Result<void> leave_task(RegistrationRow& row, LeftTasks& tasks);
  Result<void> count_left(const LeftTasks& tasks, UnixTime now);

  Result<CloudTargetStatus> status_of(const CloudTargetRow& row);
  Result<void> add_feed(int64_t target_id, const CloudFeedRow& feed, CloudTargetStatus& status);
  Result<std::string> name_of_order(int64_t order_id);
  Result<int64_t> count_of(CloudSql query, int64_t a, int64_t b);
  Result<void> add_counts(int64_t target_id, CloudTargetStatus& status);
  Result<std::optional<UnixTime>> oldest_of(CloudSql query, int64_t value);

  Ledger::Implementation* ledger_;
  CloudStatements sql_;
};

// Shared by the parts.
int64_t to_row_id(uint64_t id);  // SQLite's numbers end earlier than ours
Result<void> check_limit(uint32_t limit, uint32_t max);
CloudItem read_cloud_item(const Statement& row);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_LEDGER_LEDGER_CLOUD_IMPLEMENTATION_H_
