#include "appliance/ledger/ledger_cloud.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "appliance/ledger/ledger_cloud_implementation.h"
#include "hsm/x509/certificate_builder.h"

namespace linesign {

int64_t to_row_id(uint64_t id) {
  return static_cast<int64_t>(std::min<uint64_t>(id, std::numeric_limits<int64_t>::max()));
}

Result<void> check_limit(uint32_t limit, uint32_t max) {
  if (limit >= 1 && limit <= max) return {};
  return fail(ErrorCode::InputInvalid,
              fmt::format("limit: expected 1 to {}, found {}", max, limit));
}

CloudItem read_cloud_item(const Statement& row) {
  CloudItem item;
  item.issuance_id = static_cast<uint64_t>(row.integer(0));
  item.device_id = row.text(1);
  item.order_id = row.text(2);
  item.serial = row.array<kSerialBytes>(3);
  item.state = static_cast<RegistrationState>(row.integer(4));
  item.steps = static_cast<uint32_t>(row.integer(5));
  item.attempts = static_cast<uint32_t>(row.integer(6));
  item.committed_at = to_unix_time(row.integer(7));
  item.certificate_der = assemble_certificate(row.blob(8), row.blob(10), row.blob(9));
  item.issuer_der = to_bytes(row.blob(11));
  return item;
}

Result<void> CloudTally::save(CloudStatements& sql, int64_t target_id) const {
  for (const auto& [key, difference] : changes_) {
    const auto& [state, code] = key;
    if (difference == 0) continue;
    const bool is_more = difference > 0;
    Statement& statement = sql[is_more ? CloudSql::AddCount : CloudSql::SubtractCount];
    LS_TRY(const int64_t changed,
           statement.execute(target_id, state, code, is_more ? difference : -difference));
    if (changed != 1)
      return fail(ErrorCode::Internal, fmt::format("no count of state {}, code {}", state, code));
  }
  return {};
}

LedgerCloud::LedgerCloud(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
LedgerCloud::~LedgerCloud() = default;

Result<std::unique_ptr<LedgerCloud>> LedgerCloud::open(Ledger::Implementation& ledger) {
  LS_TRY(CloudStatements statements, CloudStatements::prepare(ledger.handle()));
  return std::unique_ptr<LedgerCloud>(
      new LedgerCloud(std::make_unique<Implementation>(ledger, std::move(statements))));
}

Result<void> LedgerCloud::set_plan(const CloudPlan& plan, UnixTime now) {
  return implementation_->write([&] { return implementation_->set_plan(plan, now); });
}

Result<void> LedgerCloud::set_feed(const CloudFeed& feed, bool is_active, UnixTime now) {
  return implementation_->write([&] { return implementation_->set_feed(feed, is_active, now); });
}

Result<std::vector<CloudItem>> LedgerCloud::claim(std::string_view target,
                                                  uint64_t after,
                                                  uint32_t limit,
                                                  UnixTime now) {
  return implementation_->write([&] { return implementation_->claim(target, after, limit, now); });
}

Result<CloudBooked> LedgerCloud::book(std::string_view target,
                                      std::span<const CloudBooking> bookings,
                                      UnixTime now) {
  return implementation_->write([&] { return implementation_->book(target, bookings, now); });
}

Result<uint64_t> LedgerCloud::release(std::string_view target,
                                      std::optional<uint32_t> code,
                                      uint32_t limit,
                                      UnixTime now) {
  return implementation_->write([&] { return implementation_->release(target, code, limit, now); });
}

Result<uint64_t> LedgerCloud::release_one(std::string_view target, uint64_t number, UnixTime now) {
  return implementation_->write([&] { return implementation_->release_one(target, number, now); });
}

Result<BulkTask> LedgerCloud::create_task(std::string_view target,
                                          std::string_view object_key,
                                          UnixTime now) {
  return implementation_->write(
      [&] { return implementation_->create_task(target, object_key, now); });
}

Result<BulkTask> LedgerCloud::fill_task(uint64_t task_id, uint32_t lines, UnixTime now) {
  return implementation_->write([&] { return implementation_->fill_task(task_id, lines, now); });
}

Result<std::vector<CloudItem>> LedgerCloud::task_items(uint64_t task_id,
                                                       uint64_t after,
                                                       uint32_t limit) {
  return implementation_->read([&] { return implementation_->task_items(task_id, after, limit); });
}

Result<BulkTask> LedgerCloud::update_task(uint64_t task_id,
                                          const BulkTaskChange& change,
                                          UnixTime now) {
  return implementation_->write([&] { return implementation_->update_task(task_id, change, now); });
}

Result<uint64_t> LedgerCloud::return_task_items(uint64_t task_id, uint32_t limit, UnixTime now) {
  return implementation_->write(
      [&] { return implementation_->return_task_items(task_id, limit, now); });
}

Result<std::vector<BulkTask>> LedgerCloud::open_tasks(std::string_view target) {
  return implementation_->read([&] { return implementation_->open_tasks(target); });
}

Result<std::vector<CloudTargetStatus>> LedgerCloud::status() {
  return implementation_->read([&] { return implementation_->status(); });
}

Result<std::optional<CloudBacklog>> LedgerCloud::backlog() {
  return implementation_->read([&] { return implementation_->backlog(); });
}

Result<RegistrationPage> LedgerCloud::registrations(std::string_view target,
                                                    std::optional<RegistrationState> state,
                                                    uint64_t after,
                                                    uint32_t limit) {
  return implementation_->read(
      [&] { return implementation_->registrations(target, state, after, limit); });
}

Result<CertificatePage> LedgerCloud::certificates(std::string_view order_id,
                                                  uint64_t after,
                                                  uint32_t limit) {
  return implementation_->read(
      [&] { return implementation_->certificates(order_id, after, limit); });
}

Result<std::vector<LedgerCa>> LedgerCloud::cas() {
  return implementation_->read([&] { return implementation_->cas(); });
}

}  // namespace linesign
