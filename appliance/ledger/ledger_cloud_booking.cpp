// What became of certificates in a target.
#include <fmt/format.h>

#include "appliance/ledger/ledger_cloud_implementation.h"
#include "hsm/x509/certificate_builder.h"
#include "hsm/x509/csr.h"

namespace linesign {
namespace {

// Late news change nothing: what is known stays true.
bool is_late(RegistrationState now, RegistrationState wanted) {
  switch (now) {
    case RegistrationState::Registered:
      return true;
    case RegistrationState::Parked:
      return wanted == RegistrationState::Waiting || wanted == RegistrationState::HandedOver;
    case RegistrationState::HandedOver:
      return wanted == RegistrationState::Waiting;
    case RegistrationState::Expected:
    case RegistrationState::Waiting:
    case RegistrationState::InTask:
      return false;
  }
  return false;
}

bool may_be_booked(RegistrationState state) {
  return state == RegistrationState::Waiting || state == RegistrationState::Registered ||
         state == RegistrationState::Parked || state == RegistrationState::HandedOver;
}

bool is_same(const RegistrationRow& a, const RegistrationRow& b) {
  return a.state == b.state && a.steps == b.steps && a.attempts == b.attempts && a.code == b.code &&
         a.reason == b.reason;
}

RegistrationRow booked_row(const RegistrationRow& before, const CloudBooking& booking) {
  RegistrationRow row = before;
  row.state = booking.state;
  row.steps |= booking.steps;
  row.attempts = std::max(row.attempts, int64_t{booking.attempts});
  row.code = booking.code;
  row.reason = cut_reason(booking.reason);
  if (booking.state == RegistrationState::Registered) row.certificate_id = booking.certificate_id;
  return row;
}

}  // namespace

Result<std::optional<RegistrationRow>> LedgerCloud::Implementation::find_row(int64_t target_id,
                                                                             int64_t issuance_id) {
  std::optional<RegistrationRow> found;
  const auto read = [&](const Statement& row) {
    found = RegistrationRow{.state = static_cast<RegistrationState>(row.integer(0)),
                            .steps = row.integer(1),
                            .attempts = row.integer(2),
                            .task_id = std::nullopt,
                            .code = row.integer(4),
                            .reason = std::string(row.text(5)),
                            .certificate_id = std::nullopt};
    if (!row.is_null(3)) found->task_id = row.integer(3);
    if (!row.is_null(6)) found->certificate_id = row.array<32>(6);
  };
  LS_CHECK(sql_[CloudSql::RegistrationById].query(read, target_id, issuance_id));
  return found;
}

Result<void> LedgerCloud::Implementation::save_row(int64_t target_id,
                                                   int64_t issuance_id,
                                                   const RegistrationRow& before,
                                                   const RegistrationRow& after,
                                                   CloudTally& tally,
                                                   UnixTime now) {
  std::optional<ByteView> certificate_id;
  if (after.certificate_id.has_value()) certificate_id = ByteView(*after.certificate_id);
  LS_TRY(const int64_t changed,
         sql_[CloudSql::SaveRegistration].execute(target_id,
                                                  issuance_id,
                                                  static_cast<int64_t>(after.state),
                                                  after.steps,
                                                  after.attempts,
                                                  after.task_id,
                                                  after.code,
                                                  std::string_view(after.reason),
                                                  certificate_id,
                                                  to_seconds(now)));
  if (changed != 1)
    return fail(ErrorCode::Internal, fmt::format("registration {} is not there", issuance_id));
  tally.remove(before.state, before.code);
  tally.add(after.state, after.code);
  return {};
}

Result<std::optional<Sha256>> LedgerCloud::Implementation::certificate_id_of(int64_t issuance_id) {
  std::optional<Sha256> id;
  const auto read = [&](const Statement& row) {
    id = sha256(assemble_certificate(row.blob(0), row.blob(1), row.blob(2)));
  };
  LS_CHECK(sql_[CloudSql::CertificateParts].query(read, issuance_id));
  return id;
}

Result<std::string> LedgerCloud::Implementation::objection(
    const CloudBooking& booking, const std::optional<RegistrationRow>& row) {
  if (!may_be_booked(booking.state)) return std::string("no such state can be booked");
  if (booking.steps > kAllSteps) return std::string("unknown steps");
  if (!row.has_value()) return std::string("was not handed out for this target");
  if (row->state == RegistrationState::Expected) return std::string("has no certificate yet");
  const bool is_new =
      booking.state == RegistrationState::Registered && row->state != RegistrationState::Registered;
  if (!is_new) return std::string();
  LS_TRY(const auto actual, certificate_id_of(to_row_id(booking.issuance_id)));
  if (!actual.has_value()) return std::string("has no certificate");
  if (actual != booking.certificate_id)
    return "the certificate id is not that of the certificate, " + to_hex(*actual);
  return std::string();
}

Result<CloudBooked> LedgerCloud::Implementation::book(std::string_view target,
                                                      std::span<const CloudBooking> bookings,
                                                      UnixTime now) {
  LS_CHECK(check_limit(static_cast<uint32_t>(bookings.size()), kMaxCloudItems));
  LS_TRY(const CloudTargetRow target_row, target_of(target));
  CloudBooked result;
  CloudTally tally;
  LeftTasks left_tasks;
  for (const CloudBooking& booking : bookings) {
    const auto id = to_row_id(booking.issuance_id);
    LS_TRY(const auto row, find_row(target_row.id, id));
    LS_TRY(std::string reason, objection(booking, row));
    if (!reason.empty()) {
      result.refused.push_back({booking.issuance_id, std::move(reason)});
      continue;
    }
    RegistrationRow after = booked_row(*row, booking);
    if (is_late(row->state, booking.state) || is_same(*row, after)) {
      ++result.unchanged;
      continue;
    }
    if (row->state == RegistrationState::InTask) LS_CHECK(leave_task(after, left_tasks));
    LS_CHECK(save_row(target_row.id, id, *row, after, tally, now));
    ++result.booked;
  }
  LS_CHECK(count_left(left_tasks, now));
  LS_CHECK(tally.save(sql_, target_row.id));
  return result;
}

Result<void> LedgerCloud::Implementation::release_row(int64_t target_id,
                                                      int64_t issuance_id,
                                                      const RegistrationRow& before,
                                                      CloudTally& tally,
                                                      UnixTime now) {
  RegistrationRow after = before;
  after.state = RegistrationState::Waiting;
  after.code = 0;
  after.reason.clear();
  return save_row(target_id, issuance_id, before, after, tally, now);
}

Result<uint64_t> LedgerCloud::Implementation::release_one(std::string_view target,
                                                          uint64_t number,
                                                          UnixTime now) {
  LS_TRY(const CloudTargetRow row, target_of(target));
  LS_TRY(const auto before, find_row(row.id, to_row_id(number)));
  if (!before.has_value() || before->state != RegistrationState::Parked) return 0;
  CloudTally tally;
  LS_CHECK(release_row(row.id, to_row_id(number), *before, tally, now));
  LS_CHECK(tally.save(sql_, row.id));
  return 1;
}

Result<uint64_t> LedgerCloud::Implementation::release(std::string_view target,
                                                      std::optional<uint32_t> code,
                                                      uint32_t limit,
                                                      UnixTime now) {
  LS_CHECK(check_limit(limit, kMaxCloudMoves));
  LS_TRY(const CloudTargetRow row, target_of(target));
  std::vector<int64_t> ids;
  const auto read = [&](const Statement& parked) { ids.push_back(parked.integer(0)); };
  if (code.has_value()) {
    LS_CHECK(sql_[CloudSql::ParkedIdsByCode].query(
        read, row.id, int64_t{*code}, static_cast<int64_t>(limit)));
  } else {
    LS_CHECK(sql_[CloudSql::ParkedIds].query(read, row.id, static_cast<int64_t>(limit)));
  }
  CloudTally tally;
  for (const int64_t id : ids) {
    LS_TRY(const auto before, find_row(row.id, id));
    if (!before.has_value()) return fail(ErrorCode::Internal, "a registration is gone");
    LS_CHECK(release_row(row.id, id, *before, tally, now));
  }
  LS_CHECK(tally.save(sql_, row.id));
  return ids.size();
}

}  // namespace linesign
