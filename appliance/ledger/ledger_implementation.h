// Ledger::Implementation: the connection, the prepared statements and what is kept in memory.
//
// This process is the only writer, so orders and counters are read once and then kept; what is in
// memory is thrown away with the object when a transaction fails.
#ifndef LINESIGN_APPLIANCE_LEDGER_LEDGER_IMPLEMENTATION_H_
#define LINESIGN_APPLIANCE_LEDGER_LEDGER_IMPLEMENTATION_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "appliance/ledger/database.h"
#include "appliance/ledger/ledger.h"
#include "appliance/ledger/ledger_cloud.h"
#include "appliance/ledger/ledger_statements.h"

namespace linesign {

enum class OrderState : uint8_t { Open = 1, Closed = 2 };  // on disk: keep

struct OrderRow {
  int64_t id = 0;
  OrderState state = OrderState::Open;
  std::optional<int64_t> quantity;  // absent: unlimited
  int64_t reserved = 0;             // open intents and certificates
  int64_t open = 0;                 // of these, intents
  int64_t voided = 0;
  bool is_changed = false;  // written once, before COMMIT
};

class Ledger::Implementation final {
 public:
  // `only`: a ledger from before identities that is named otherwise is LedgerUnknown and stays as
  // it is. Null: any.
  static Result<std::unique_ptr<Implementation>> open(const LedgerSettings& settings,
                                                      const LedgerId* only = nullptr);

  // Runs one call of the public interface. After an error that is not a refusal the transaction is
  // lost or in doubt, and so is what is in memory: nothing works any more.
  template <typename Body>
  std::invoke_result_t<Body> write(Body&& body) {
    LS_CHECK(check_usable());
    if (!in_transaction_) return fail(ErrorCode::Internal, "a write outside of a transaction");
    return finish(std::forward<Body>(body)());
  }
  template <typename Body>
  std::invoke_result_t<Body> read(Body&& body) {
    LS_CHECK(check_usable());
    return finish(std::forward<Body>(body)());
  }

  Result<void> begin();
  Result<void> commit();
  void checkpoint_every(int pages);
  Result<void> check_files() const { return database_->files().check(); }
  Result<std::string> rescue(const std::filesystem::path& spare_folder);
  Result<void> prepare_close() { return database_->prepare_close(); }
  LedgerState state() const;

  // ledger_admission.cpp
  Result<void> compare(const LedgerSettings& settings, const std::optional<LedgerState>& known);
  // The ledger is this appliance's: the record says so, durably, and wants its -wal from now on.
  Result<void> write_record(const LedgerSettings& settings);
  // In a transaction of its own.
  Result<void> record_event(std::string_view event, std::string_view detail, UnixTime at);

  // ledger_issuance.cpp
  Result<IntentOutcome> record_intent(const NewIntent& intent);
  Result<void> record_certificate(uint64_t issuance_id, ByteView signature, UnixTime at);
  Result<void> record_void(uint64_t issuance_id, ErrorCode reason, UnixTime at);
  Result<void> record_delivery(uint64_t issuance_id, int64_t station_id, UnixTime at);
  Result<void> record_confirmation(std::string_view order_id,
                                   std::string_view device_id,
                                   const Sha256& certificate_hash,
                                   UnixTime at);
  Result<std::optional<StoredCertificate>> find_certificate(std::string_view order_id,
                                                            std::string_view device_id);
  Result<std::optional<StoredCertificate>> find_certificate(uint64_t issuance_id);
  Result<std::vector<RecordedIntent>> open_intents();
  Result<void> remember_profile(const Sha256& profile_hash,
                                std::string_view canonical_text,
                                ByteView ca_certificate_der,
                                ByteView signature_algorithm_der,
                                UnixTime at);
  LedgerSummary summary() const;

  // ledger_clock.cpp
  Result<void> record_clock_event(const ClockEvent& event);
  Result<LedgerTime> time();

  // ledger_stations.cpp
  Result<StationRecord> add_station(std::string_view name,
                                    const Sha256& secret_hash,
                                    UnixTime at,
                                    UnixTime token_expires_at);
  Result<StationRecord> check_token(const Sha256& secret_hash, const Sha256& key_hash, UnixTime at);
  Result<void> activate_station(int64_t station_id,
                                const Sha256& key_hash,
                                ByteView certificate_der,
                                UnixTime at);
  Result<StationRecord> revoke_station(std::string_view name, UnixTime at);
  Result<std::vector<StationRecord>> stations();

  // What LedgerCloud needs.
  LedgerCloud& cloud() { return *cloud_; }
  sqlite3* handle() { return database_->handle(); }
  // Null if there is none. Borrowed for the life of this object.
  Result<OrderRow*> find_order(std::string_view name);
  Result<OrderRow*> order_of(int64_t id);

 private:
  Implementation(std::unique_ptr<Database> database, LedgerStatements statements)
      : database_(std::move(database)), sql_(std::move(statements)) {}

  template <typename R>
  R finish(R result) {
    if (!result.has_value() && result.error().kind() != ErrorKind::Refuse) is_broken_ = true;
    return result;
  }
  Result<void> check_usable() const;
  Result<void> load();
  Result<int64_t> number(const char* sql);
  Result<void> load_state();
  Result<std::optional<SerialNumber>> serial_of(uint64_t number);

  Result<std::optional<int64_t>> find_profile(const Sha256& hash);
  Result<std::optional<IntentOutcome>> find_request(const NewIntent& intent, int64_t order_id);
  Result<IntentOutcome> find_conflict(const NewIntent& intent, int64_t order_id);
  Result<bool> insert_intent(const NewIntent& intent, int64_t order_id, int64_t profile_id);
  Result<void> close_intent(int64_t id);
  void note_open(int64_t id, OrderRow& order);
  void note_time(UnixTime at);

  // Declared in this order: statements go before their connection.
  std::unique_ptr<Database> database_;
  LedgerStatements sql_;
  std::unique_ptr<LedgerCloud> cloud_;
  bool in_transaction_ = false;
  bool is_broken_ = false;
  int64_t next_id_ = 1;
  LedgerSummary summary_;
  LedgerState state_;  // but for the counts that summary_ has
  bool awaits_record_ = false;
  std::map<std::string, OrderRow, std::less<>> orders_;
  std::unordered_map<int64_t, OrderRow*> orders_by_id_;
  std::unordered_map<int64_t, OrderRow*> order_of_open_;  // by issuance id
  std::map<Sha256, int64_t> profiles_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_LEDGER_LEDGER_IMPLEMENTATION_H_
