// The part of the ledger that runs for every certificate.
#include <fmt/format.h>

#include "appliance/ledger/ledger_implementation.h"
#include "appliance/ledger/row_time.h"
#include "hsm/x509/certificate_builder.h"
#include "hsm/x509/csr.h"

namespace linesign {
namespace {

// The first three columns are id, tbs, signature.
StoredCertificate read_certificate(const Statement& row) {
  return {.issuance_id = static_cast<uint64_t>(row.integer(0)),
          .tbs = to_bytes(row.blob(1)),
          .signature = to_bytes(row.blob(2))};
}

std::string in_order(const NewIntent& intent) {
  return fmt::format("device {}, order {}", intent.device_id, intent.order_id);
}

}  // namespace

Result<OrderRow*> Ledger::Implementation::find_order(std::string_view name) {
  if (const auto known = orders_.find(name); known != orders_.end()) return &known->second;
  OrderRow* found = nullptr;
  const auto read = [&](const Statement& row) {
    OrderRow order{.id = row.integer(0),
                   .state = static_cast<OrderState>(row.integer(2)),
                   .quantity = std::nullopt,
                   .reserved = row.integer(4),
                   .voided = row.integer(5)};
    if (!row.is_null(3)) order.quantity = row.integer(3);
    found = &orders_.emplace(std::string(row.text(1)), order).first->second;
    orders_by_id_.emplace(found->id, found);
  };
  LS_CHECK(sql_[Sql::OrderByName].query(read, name));
  if (found != nullptr)
    LS_CHECK(sql_[Sql::OpenOfOrder].query(
        [&](const Statement& row) { note_open(row.integer(0), *found); }, found->id));
  return found;
}

Result<OrderRow*> Ledger::Implementation::order_of(int64_t id) {
  if (const auto known = orders_by_id_.find(id); known != orders_by_id_.end()) return known->second;
  std::string name;
  LS_CHECK(sql_[Sql::OrderById].query([&](const Statement& row) { name = row.text(1); }, id));
  LS_TRY(OrderRow * order, find_order(name));
  if (order == nullptr) return fail(ErrorCode::LedgerCorrupt, "an issuance without its order");
  return order;
}

Result<std::optional<int64_t>> Ledger::Implementation::find_profile(const Sha256& hash) {
  if (const auto known = profiles_.find(hash); known != profiles_.end()) return known->second;
  std::optional<int64_t> id;
  LS_CHECK(sql_[Sql::ProfileByHash].query([&](const Statement& row) { id = row.integer(0); },
                                          ByteView(hash)));
  if (id.has_value()) profiles_.emplace(hash, *id);
  return id;
}

Result<void> Ledger::Implementation::remember_profile(const Sha256& profile_hash,
                                                      std::string_view canonical_text,
                                                      ByteView ca_certificate_der,
                                                      ByteView signature_algorithm_der,
                                                      UnixTime at) {
  LS_CHECK(sql_[Sql::InsertProfile].execute(ByteView(profile_hash),
                                            canonical_text,
                                            ca_certificate_der,
                                            signature_algorithm_der,
                                            to_seconds(at)));
  return {};
}

// The answer to a request that was recorded before, if it was.
Result<std::optional<IntentOutcome>> Ledger::Implementation::find_request(const NewIntent& intent,
                                                                          int64_t order_id) {
  std::optional<IntentOutcome> outcome;
  bool is_conflict = false;
  const auto read = [&](const Statement& row) {
    is_conflict = row.array<32>(3) != intent.csr_hash || row.text(4) != intent.device_id;
    if (row.is_null(2)) {
      outcome = IntentOpen{.issuance_id = static_cast<uint64_t>(row.integer(0))};
    } else {
      outcome = read_certificate(row);
    }
  };
  LS_CHECK(sql_[Sql::ByRequest].query(read, order_id, ByteView(intent.request_id)));
  if (is_conflict)
    return fail(ErrorCode::RequestConflict,
                fmt::format("request {}, {}", to_hex(intent.request_id), in_order(intent)));
  return outcome;
}

// The row was not inserted: some UNIQUE constraint holds it back. Which one?
Result<IntentOutcome> Ledger::Implementation::find_conflict(const NewIntent& intent,
                                                            int64_t order_id) {
  LS_TRY(auto known, find_request(intent, order_id));
  if (known.has_value()) return std::move(*known);
  bool is_final = false;
  const auto read = [&](const Statement& row) { is_final = !row.is_null(0); };
  LS_TRY(const int64_t devices, sql_[Sql::ByDevice].query(read, order_id, intent.device_id));
  if (devices != 0 && is_final) return fail(ErrorCode::DeviceExists, in_order(intent));
  LS_TRY(const int64_t keys, sql_[Sql::ByKey].query(read, ByteView(intent.key_hash)));
  if (keys != 0 && is_final) return fail(ErrorCode::KeyExists, in_order(intent));
  if (devices + keys != 0) return IntentOutcome(IdentityInProgress{});
  return fail(ErrorCode::Internal,
              fmt::format("serial number {} was used before", to_hex(intent.serial)));
}

// False: a UNIQUE constraint holds the row back.
Result<bool> Ledger::Implementation::insert_intent(const NewIntent& intent,
                                                   int64_t order_id,
                                                   int64_t profile_id) {
  Statement& insert = sql_[Sql::InsertIntent];
  const Result<int64_t> inserted = insert.execute(next_id_,
                                                  ByteView(intent.serial),
                                                  order_id,
                                                  intent.device_id,
                                                  ByteView(intent.request_id),
                                                  intent.station_id,
                                                  ByteView(intent.csr_hash),
                                                  ByteView(intent.key_hash),
                                                  profile_id,
                                                  to_seconds(intent.issued_at),
                                                  intent.tbs);
  if (inserted.has_value()) return *inserted == 1;
  // Order and profile were looked up before, so the missing parent is the station.
  if (insert.failure() == SQLITE_CONSTRAINT_FOREIGNKEY)
    return fail(ErrorCode::StationUnknown, fmt::format("station id {}", intent.station_id));
  return fail(inserted.error());
}

Result<IntentOutcome> Ledger::Implementation::record_intent(const NewIntent& intent) {
  LS_TRY(OrderRow * order, find_order(intent.order_id));
  if (order == nullptr) return fail(ErrorCode::OrderUnknown, std::string(intent.order_id));
  LS_TRY(const std::optional<int64_t> profile_id, find_profile(intent.profile_hash));
  if (!profile_id.has_value())
    return fail(ErrorCode::Internal, "unknown profile " + to_hex(intent.profile_hash));
  const bool is_closed = order->state != OrderState::Open;
  if (is_closed || intent.objection != nullptr ||
      (order->quantity.has_value() && order->reserved >= *order->quantity)) {
    // Nothing new, but what was promised before is kept.
    LS_TRY(auto known, find_request(intent, order->id));
    if (known.has_value()) return std::move(*known);
    if (intent.objection != nullptr) return fail(*intent.objection);
    // An open intent of the order may give its unit back.
    if (!is_closed && order->open > 0)
      return IntentOutcome(IdentityInProgress{.answer = ErrorCode::Busy});
    return fail(is_closed ? ErrorCode::OrderClosed : ErrorCode::OrderExhausted,
                std::string(intent.order_id));
  }
  LS_TRY(const bool is_new, insert_intent(intent, order->id, *profile_id));
  if (!is_new) return find_conflict(intent, order->id);
  LS_CHECK(sql_[Sql::InsertOpenIntent].execute(next_id_, intent.csr));
  ++order->reserved;
  order->is_changed = true;
  note_open(next_id_, *order);
  ++summary_.intents;
  state_.newest = static_cast<uint64_t>(next_id_);
  state_.newest_serial = intent.serial;
  note_time(intent.issued_at);
  RecordedIntent recorded;
  recorded.issuance_id_ = static_cast<uint64_t>(next_id_++);
  recorded.device_id_ = intent.device_id;
  recorded.serial_ = intent.serial;
  recorded.profile_hash_ = intent.profile_hash;
  recorded.issued_at_ = intent.issued_at;
  recorded.tbs_ = to_bytes(intent.tbs);
  recorded.csr_ = to_bytes(intent.csr);
  return IntentOutcome(std::move(recorded));
}

// One row goes, so the intent was open; and now it is not.
Result<void> Ledger::Implementation::close_intent(int64_t id) {
  LS_TRY(const int64_t closed, sql_[Sql::DeleteOpenIntent].execute(id));
  if (closed != 1) return fail(ErrorCode::Internal, fmt::format("issuance {} is not open", id));
  --summary_.intents;
  if (const auto order = order_of_open_.find(id); order != order_of_open_.end()) {
    --order->second->open;
    order_of_open_.erase(order);
  }
  return {};
}

void Ledger::Implementation::note_open(int64_t id, OrderRow& order) {
  ++order.open;
  order_of_open_.emplace(id, &order);
}

Result<void> Ledger::Implementation::record_certificate(uint64_t issuance_id,
                                                        ByteView signature,
                                                        UnixTime at) {
  const auto id = static_cast<int64_t>(issuance_id);
  LS_CHECK(close_intent(id));
  LS_CHECK(sql_[Sql::InsertCertificate].execute(id, signature, to_seconds(at)));
  ++summary_.certificates;
  note_time(at);
  return {};
}

Result<void> Ledger::Implementation::record_void(uint64_t issuance_id,
                                                 ErrorCode reason,
                                                 UnixTime at) {
  const auto id = static_cast<int64_t>(issuance_id);
  LS_CHECK(close_intent(id));
  int64_t order_id = 0;
  LS_CHECK(sql_[Sql::OrderOfIssuance].query(
      [&](const Statement& row) { order_id = row.integer(0); }, id));
  LS_TRY(OrderRow * order, order_of(order_id));
  LS_CHECK(sql_[Sql::CopyToVoid].execute(static_cast<int64_t>(reason), to_seconds(at), id));
  LS_CHECK(sql_[Sql::DeleteIssuance].execute(id));
  --order->reserved;
  ++order->voided;
  order->is_changed = true;
  ++summary_.voids;
  note_time(at);
  return {};
}

Result<void> Ledger::Implementation::record_delivery(uint64_t issuance_id,
                                                     int64_t station_id,
                                                     UnixTime at) {
  LS_CHECK(sql_[Sql::InsertDelivery].execute(
      static_cast<int64_t>(issuance_id), station_id, to_seconds(at)));
  return {};
}

Result<void> Ledger::Implementation::record_confirmation(std::string_view order_id,
                                                         std::string_view device_id,
                                                         const Sha256& certificate_hash,
                                                         UnixTime at) {
  LS_TRY(const OrderRow* order, find_order(order_id));
  if (order == nullptr) return fail(ErrorCode::OrderUnknown, std::string(order_id));
  std::optional<int64_t> id;
  Sha256 actual{};
  const auto read = [&](const Statement& row) {
    id = row.integer(0);
    actual = sha256(assemble_certificate(row.blob(1), row.blob(3), row.blob(2)));
  };
  LS_CHECK(sql_[Sql::CertificateByDevice].query(read, order->id, device_id));
  if (!id.has_value())
    return fail(ErrorCode::DeviceUnknown, fmt::format("device {}, order {}", device_id, order_id));
  if (actual != certificate_hash)
    return fail(ErrorCode::InputInvalid, "the hash is not that of the device's certificate");
  LS_CHECK(sql_[Sql::InsertConfirmation].execute(*id, to_seconds(at)));
  return {};
}

Result<std::optional<StoredCertificate>> Ledger::Implementation::find_certificate(
    std::string_view order_id, std::string_view device_id) {
  std::optional<StoredCertificate> found;
  LS_TRY(const OrderRow* order, find_order(order_id));
  if (order == nullptr) return found;
  LS_CHECK(sql_[Sql::CertificateByDevice].query(
      [&](const Statement& row) { found = read_certificate(row); }, order->id, device_id));
  return found;
}

Result<std::optional<StoredCertificate>> Ledger::Implementation::find_certificate(
    uint64_t issuance_id) {
  std::optional<StoredCertificate> found;
  LS_CHECK(
      sql_[Sql::CertificateById].query([&](const Statement& row) { found = read_certificate(row); },
                                       static_cast<int64_t>(issuance_id)));
  return found;
}

Result<std::vector<RecordedIntent>> Ledger::Implementation::open_intents() {
  std::vector<RecordedIntent> intents;
  const auto read = [&](const Statement& row) {
    RecordedIntent intent;
    intent.issuance_id_ = static_cast<uint64_t>(row.integer(0));
    intent.device_id_ = row.text(1);
    intent.serial_ = row.array<kSerialBytes>(2);
    intent.profile_hash_ = row.array<32>(3);
    intent.issued_at_ = to_unix_time(row.integer(4));
    intent.tbs_ = to_bytes(row.blob(5));
    intent.csr_ = to_bytes(row.blob(6));
    intents.push_back(std::move(intent));
  };
  LS_CHECK(sql_[Sql::OpenIntents].query(read));
  return intents;
}

LedgerSummary Ledger::Implementation::summary() const { return summary_; }

}  // namespace linesign
