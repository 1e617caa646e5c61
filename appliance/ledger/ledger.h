// Ledger: the durable record of everything that was meant to be signed, and was.
//
// RECEIVED and CHECKED live in memory only. A row of `issuance` is an INTENT; it is COMMITTED when
// `certificate` has its signature, VOID when it was moved to `void_issuance`. DELIVERED and
// CONFIRMED are rows of their own. UNIQUE indexes, not code, keep one identity per device and key.
//
// Durability  nothing is durable before the transaction that contains it has returned from commit()
// Errors      kind Refuse: the data says no, the transaction goes on. LedgerUnavailable,
//             LedgerDiskFull, LedgerCommitUnknown, LedgerCorrupt: the transaction is lost or in
//             doubt; close this object, open a new one, and ask it what is true
//             Each call below either does all of what it says, or, with kind Refuse, nothing
// Threads     one thread at a time; appliance/ledger/group_commit.h gives it one
// Source      docs/ledger.md; SQLite in WAL mode, synchronous=FULL, exclusive locking
#ifndef LINESIGN_APPLIANCE_LEDGER_LEDGER_H_
#define LINESIGN_APPLIANCE_LEDGER_LEDGER_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "appliance/ledger/ledger_state.h"
#include "appliance/records/clock_event.h"
#include "appliance/records/ledger_figures.h"
#include "appliance/records/ledger_settings.h"
#include "appliance/records/station_record.h"
#include "protocol/base/bytes.h"
#include "protocol/base/clock.h"
#include "protocol/base/ids.h"
#include "protocol/base/result.h"

namespace linesign {

// What the issuing side knows before anything is signed. Views are borrowed for the call.
struct NewIntent {
  int64_t station_id = 0;
  std::string_view order_id;
  std::string_view device_id;
  RequestId request_id{};
  SerialNumber serial{};
  Sha256 csr_hash{};      // over the whole CSR
  Sha256 key_hash{};      // over its SubjectPublicKeyInfo
  Sha256 profile_hash{};  // REQUIRES: known to the ledger, see remember_profile
  UnixTime issued_at{};
  ByteView tbs;
  ByteView csr;  // kept until the intent has an end
  // Why nothing new may be recorded; what was promised before is kept. Borrowed; null: it may.
  const Error* objection = nullptr;
};

// A durable intent that has no end yet. Only the ledger makes one; SignerPool signs nothing else.
// It may be handed to a signer only after the transaction that recorded it is committed.
class RecordedIntent final {
 public:
  uint64_t issuance_id() const { return issuance_id_; }
  const std::string& device_id() const { return device_id_; }
  const SerialNumber& serial() const { return serial_; }
  const Sha256& profile_hash() const { return profile_hash_; }
  UnixTime issued_at() const { return issued_at_; }
  ByteView tbs() const { return tbs_; }
  ByteView csr() const { return csr_; }

 private:
  friend class Ledger;
  RecordedIntent() = default;
  uint64_t issuance_id_ = 0;
  std::string device_id_;
  SerialNumber serial_{};
  Sha256 profile_hash_{};
  UnixTime issued_at_{};
  Bytes tbs_;
  Bytes csr_;
};

// A certificate that is in the ledger: its two variable parts, and its row.
struct StoredCertificate {
  uint64_t issuance_id = 0;
  Bytes tbs;
  Bytes signature;
};

// The same request is recorded and has no end yet.
struct IntentOpen {
  uint64_t issuance_id = 0;
};

// Another request's intent has this device or this key, or the order's last unit, and may yet end
// as VOID. Nothing is said for ever while that is open.
struct IdentityInProgress {
  ErrorCode answer = ErrorCode::DeviceInProgress;  // of kind Retry
};

using IntentOutcome =
    std::variant<RecordedIntent, StoredCertificate, IntentOpen, IdentityInProgress>;

class LedgerCloud;

// A checkpoint writes as many pages: a large one costs less for each, a small one is over sooner.
constexpr int kCheckpointPages = 4000;

class Ledger final {
 public:
  // Opens or creates, takes the log over, applies missing migrations. LedgerInUse,
  // LedgerSchemaNewer, LedgerCorrupt, LedgerUnavailable, LedgerDiskFull. With a state file:
  // LedgerOlder, LedgerUnknown and LedgerReplaced too. What is refused so keeps its rows, but its
  // log may be in the database by then; and an empty file may have its tables.
  static Result<std::unique_ptr<Ledger>> open(const LedgerSettings& settings);
  // By an operator's word: what open() refuses as `refused` (LedgerUnknown; LedgerOlder and
  // LedgerReplaced as one) is this appliance's ledger from now on. The ledger remembers it. Says
  // what was done.
  static Result<std::string> accept(const LedgerSettings& settings,
                                    ErrorCode refused,
                                    UnixTime now);
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;
  ~Ledger();

  // begin() ... commit(): all writes below happen inside. commit() returns after fsync. A failed
  // commit() is unknown, not no: LedgerCommitUnknown. LedgerReplaced: it went into files that are
  // deleted or replaced; see rescue().
  Result<void> begin();
  Result<void> commit();
  // The commit after which the write-ahead log has so many pages moves them into the database
  // before it returns; kCheckpointPages if this is never called.
  void checkpoint_every(int pages);

  // LedgerReplaced if the files that are open are not those of the folder any more.
  Result<void> check_files() const;
  // After LedgerReplaced, before this object goes: rolls back what is not committed, puts every
  // committed row where it stays and says where. state() is that of these rows. After a failure it
  // may be called again.
  Result<std::string> rescue(const std::filesystem::path& spare_folder);
  // How far it is; after commit() that is durable.
  LedgerState state() const;
  // Empties the log into the database: state() is all there is then.
  Result<void> prepare_close();

  // Same request id and CSR: StoredCertificate or IntentOpen, also when the order is closed by now.
  // Errors: RequestConflict, DeviceExists, KeyExists (of a certificate; of an open intent it is
  // IdentityInProgress), OrderUnknown, OrderClosed, OrderExhausted, StationUnknown; Internal for an
  // unknown profile or a serial number that was used before: the random source repeats itself, and
  // the transaction ends.
  Result<IntentOutcome> record_intent(const NewIntent& intent);
  // An intent gets one end. Ending what is not open is Internal.
  Result<void> record_certificate(uint64_t issuance_id, ByteView signature, UnixTime at);
  // REQUIRES: it is proved that no signature left a signer. Frees device, key and quota.
  Result<void> record_void(uint64_t issuance_id, ErrorCode reason, UnixTime at);
  // The first delivery counts; later ones change nothing.
  Result<void> record_delivery(uint64_t issuance_id, int64_t station_id, UnixTime at);
  // DeviceUnknown; InputInvalid if the hash is not that of the certificate.
  Result<void> record_confirmation(std::string_view order_id,
                                   std::string_view device_id,
                                   const Sha256& certificate_hash,
                                   UnixTime at);
  // Keeps the canonical text of every profile (and the CA certificate) that certificates were made
  // by.
  Result<void> remember_profile(const Sha256& profile_hash,
                                std::string_view canonical_text,
                                ByteView ca_certificate_der,
                                ByteView signature_algorithm_der,
                                UnixTime at);

  // Readers. Inside or outside a transaction.
  Result<std::optional<StoredCertificate>> find_certificate(std::string_view order_id,
                                                            std::string_view device_id);
  Result<std::optional<StoredCertificate>> find_certificate(uint64_t issuance_id);
  // In the order in which they were recorded.
  Result<std::vector<RecordedIntent>> open_intents();
  Result<LedgerSummary> summary();

  // The clock's history, in the order in which it was recorded; and what it says about the time.
  Result<void> record_clock_event(const ClockEvent& event);
  Result<LedgerTime> time();

  // Stations. A token's secret is stored as its SHA-256 only.
  // StationExists unless the old one of that name is revoked or its token expired unused.
  Result<StationRecord> add_station(std::string_view name,
                                    const Sha256& secret_hash,
                                    UnixTime now,
                                    UnixTime token_expires_at);
  // The station whose unexpired, unused token this is. TokenInvalid, TokenExpired, TokenUsed. The
  // same key may come again with the same token and then gets `certificate_der` as stored.
  Result<StationRecord> check_token(const Sha256& secret_hash,
                                    const Sha256& key_hash,
                                    UnixTime now);
  // Uses the token up. Same transaction as check_token.
  Result<void> activate_station(int64_t station_id,
                                const Sha256& key_hash,
                                ByteView certificate_der,
                                UnixTime now);
  // Its token is worth nothing from now on. A revoked one stays as it is. StationNotFound.
  Result<StationRecord> revoke_station(std::string_view name, UnixTime now);
  Result<std::vector<StationRecord>> stations();

  // What becomes of the certificates in the cloud: ledger_cloud.h. Lives as long as this object.
  LedgerCloud& cloud();

 private:
  friend class LedgerCloud;
  class Implementation;
  explicit Ledger(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_LEDGER_LEDGER_H_
