// Looking at the outbox without changing it.
#include <algorithm>

#include "appliance/ledger/ledger_cloud_implementation.h"
#include "hsm/x509/certificate_builder.h"

namespace linesign {
namespace {

uint64_t to_count(int64_t value) { return static_cast<uint64_t>(std::max<int64_t>(0, value)); }

void keep_older(std::optional<UnixTime>& oldest, const std::optional<UnixTime>& time) {
  if (time.has_value() && (!oldest.has_value() || *time < *oldest)) oldest = time;
}

CloudRegistration read_registration(const Statement& row) {
  CloudRegistration registration;
  registration.issuance_id = static_cast<uint64_t>(row.integer(0));
  registration.device_id = row.text(1);
  registration.order_id = row.text(2);
  registration.state = static_cast<RegistrationState>(row.integer(3));
  registration.steps = static_cast<uint32_t>(row.integer(4));
  registration.attempts = static_cast<uint32_t>(row.integer(5));
  registration.task_id = static_cast<uint64_t>(row.integer(6));
  registration.code = static_cast<uint32_t>(row.integer(7));
  registration.reason = row.text(8);
  if (!row.is_null(9)) registration.certificate_id = row.array<32>(9);
  registration.updated_at = to_unix_time(row.integer(10));
  registration.issuer_der = to_bytes(row.blob(11));
  return registration;
}

LedgerCertificate read_ledger_certificate(const Statement& row) {
  LedgerCertificate certificate;
  certificate.issuance_id = static_cast<uint64_t>(row.integer(0));
  certificate.device_id = row.text(1);
  certificate.serial = row.array<kSerialBytes>(2);
  certificate.committed_at = to_unix_time(row.integer(3));
  certificate.certificate_der = assemble_certificate(row.blob(4), row.blob(5), row.blob(6));
  certificate.issuer_der = to_bytes(row.blob(8));
  return certificate;
}

}  // namespace

Result<void> LedgerCloud::Implementation::add_counts(int64_t target_id, CloudTargetStatus& status) {
  const auto read = [&](const Statement& row) {
    const uint64_t count = to_count(row.integer(2));
    switch (static_cast<RegistrationState>(row.integer(0))) {
      case RegistrationState::Expected:
        break;  // counted where their ends are known
      case RegistrationState::Waiting:
        status.waiting += count;
        break;
      case RegistrationState::Registered:
        status.registered += count;
        break;
      case RegistrationState::Parked:
        status.parked += count;
        status.parked_by_code.push_back({static_cast<uint32_t>(row.integer(1)), count});
        break;
      case RegistrationState::HandedOver:
        status.handed_over += count;
        break;
      case RegistrationState::InTask:
        status.in_task += count;
        break;
    }
  };
  LS_CHECK(sql_[CloudSql::Counts].query(read, target_id));
  return {};
}

Result<std::optional<UnixTime>> LedgerCloud::Implementation::oldest_of(CloudSql query,
                                                                       int64_t value) {
  std::optional<UnixTime> oldest;
  LS_CHECK(sql_[query].query([&](const Statement& row) { oldest = to_unix_time(row.integer(0)); },
                             value));
  return oldest;
}

Result<int64_t> LedgerCloud::Implementation::count_of(CloudSql query, int64_t a, int64_t b) {
  int64_t count = 0;
  LS_CHECK(sql_[query].query([&](const Statement& row) { count = row.integer(0); }, a, b));
  return count;
}

Result<std::string> LedgerCloud::Implementation::name_of_order(int64_t order_id) {
  std::string name;
  LS_CHECK(
      sql_[CloudSql::OrderById].query([&](const Statement& row) { name = row.text(0); }, order_id));
  return name;
}

// With what was issued and has no row yet. `reserved` counts the order's open intents and
// certificates, `taken` those below the feed's mark, voids among them that no claim has met yet; so
// the difference lies above it, with the open intents there.
Result<void> LedgerCloud::Implementation::add_feed(int64_t target_id,
                                                   const CloudFeedRow& feed,
                                                   CloudTargetStatus& status) {
  LS_TRY(std::string name, name_of_order(feed.order_id));
  status.feeds.push_back({std::move(name), feed.is_active});
  if (!feed.is_active) return {};
  LS_TRY(const OrderRow* order, ledger_->order_of(feed.order_id));
  LS_TRY(const int64_t open,
         count_of(CloudSql::OpenNotTaken, feed.next_issuance_id, feed.order_id));
  LS_TRY(const int64_t voids, count_of(CloudSql::ExpectedVoid, target_id, feed.order_id));
  const uint64_t not_taken = to_count(order->reserved - (feed.taken - voids) - open);
  if (not_taken == 0) return {};
  status.waiting += not_taken;
  // Of any order: where orders are mixed, this may be a little too old.
  LS_TRY(const auto oldest, oldest_of(CloudSql::OldestNotTaken, feed.next_issuance_id));
  keep_older(status.oldest_waiting_at, oldest);
  return {};
}

Result<CloudTargetStatus> LedgerCloud::Implementation::status_of(const CloudTargetRow& row) {
  CloudTargetStatus status;
  status.target = row.target;
  status.is_configured = row.is_configured;
  LS_CHECK(add_counts(row.id, status));
  LS_TRY(status.oldest_waiting_at, oldest_of(CloudSql::OldestWaiting, row.id));
  const auto read_expected = [&](const Statement& expected) {
    status.waiting += to_count(expected.integer(0));
    if (!expected.is_null(1))
      keep_older(status.oldest_waiting_at, to_unix_time(expected.integer(1)));
  };
  LS_CHECK(sql_[CloudSql::ExpectedWithCertificate].query(read_expected, row.id));
  LS_TRY(const std::vector<CloudFeedRow> feeds, feeds_of(row.id));
  for (const CloudFeedRow& feed : feeds) LS_CHECK(add_feed(row.id, feed, status));
  return status;
}

Result<std::vector<CloudTargetStatus>> LedgerCloud::Implementation::status() {
  LS_TRY(const std::vector<CloudTargetRow> targets, all_targets());
  std::vector<CloudTargetStatus> all;
  all.reserve(targets.size());
  for (const CloudTargetRow& row : targets) {
    LS_TRY(CloudTargetStatus status, status_of(row));
    all.push_back(std::move(status));
  }
  return all;
}

Result<std::optional<CloudBacklog>> LedgerCloud::Implementation::backlog() {
  LS_TRY(const std::vector<CloudTargetStatus> targets, status());
  std::optional<CloudBacklog> backlog;
  for (const CloudTargetStatus& target : targets) {
    if (!target.is_configured) continue;
    if (!backlog.has_value()) backlog.emplace();
    backlog->waiting += target.waiting;
    backlog->parked += target.parked;
    keep_older(backlog->oldest_waiting_at, target.oldest_waiting_at);
  }
  return backlog;
}

Result<RegistrationPage> LedgerCloud::Implementation::registrations(
    std::string_view target,
    std::optional<RegistrationState> state,
    uint64_t after,
    uint32_t limit) {
  LS_CHECK(check_limit(limit, kMaxCertificatePage));
  LS_TRY(const CloudTargetRow target_row, target_of(target));
  RegistrationPage page;
  page.next_after = after;
  const auto read = [&](const Statement& row) {
    CloudRegistration registration = read_registration(row);
    page.next_after = registration.issuance_id;
    if (!state.has_value() || registration.state == *state)
      page.registrations.push_back(std::move(registration));
  };
  const CloudSql query =
      state == RegistrationState::Parked ? CloudSql::ParkedPage : CloudSql::RegistrationPage;
  LS_TRY(const int64_t looked_at,
         sql_[query].query(read, target_row.id, to_row_id(after), static_cast<int64_t>(limit)));
  page.is_end = looked_at < static_cast<int64_t>(limit);
  return page;
}

Result<CertificatePage> LedgerCloud::Implementation::certificates(std::string_view order_id,
                                                                  uint64_t after,
                                                                  uint32_t limit) {
  LS_CHECK(check_limit(limit, kMaxCertificatePage));
  LS_TRY(const int64_t wanted, id_of_order(order_id));
  CertificatePage page;
  page.next_after = after;
  const auto read = [&](const Statement& row) {
    page.next_after = static_cast<uint64_t>(row.integer(0));
    if (row.integer(7) == wanted) page.certificates.push_back(read_ledger_certificate(row));
  };
  LS_TRY(
      const int64_t looked_at,
      sql_[CloudSql::CertificatePage].query(read, to_row_id(after), static_cast<int64_t>(limit)));
  page.is_end = looked_at < static_cast<int64_t>(limit);
  LS_CHECK(sql_[CloudSql::FirstOpenIntent].query([&](const Statement& row) {
    page.first_open_intent = static_cast<uint64_t>(row.integer(0));
  }));
  LS_CHECK(sql_[CloudSql::NewestCertificate].query(
      [&](const Statement& row) { page.newest = static_cast<uint64_t>(row.integer(0)); }));
  return page;
}

Result<std::vector<LedgerCa>> LedgerCloud::Implementation::cas() {
  std::vector<LedgerCa> all;
  LS_CHECK(sql_[CloudSql::LedgerCas].query([&](const Statement& row) {
    all.push_back({to_bytes(row.blob(0)), to_unix_time(row.integer(1))});
  }));
  return all;
}

}  // namespace linesign
