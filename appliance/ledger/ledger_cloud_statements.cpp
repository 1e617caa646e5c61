#include "appliance/ledger/ledger_cloud_statements.h"

#include <array>

namespace linesign {
namespace {

struct CloudRow {
  CloudSql name;
  const char* purpose;  // for people, in errors
  const char* sql;
};

constexpr const char* kSavepoint = "guarding the ledger's transaction";
constexpr const char* kTarget = "reading or writing a cloud target";
constexpr const char* kFeed = "reading or writing a cloud feed";
constexpr const char* kTaking = "taking certificates in for the cloud";
constexpr const char* kReading = "reading registrations";
constexpr const char* kBooking = "booking registrations";
constexpr const char* kTask = "reading or writing a bulk task";
constexpr const char* kStatus = "counting registrations";

// CROSS JOIN keeps SQLite from turning the order of the tables round: the first one is the list
// that is walked, the others are looked up by their keys. INDEXED BY names the list's own index:
// should it ever not fit, the ledger cannot be opened, instead of getting slow.
#define LINESIGN_ITEMS(index, condition)                                                 \
  "SELECT r.issuance_id, i.device_id, o.name, i.serial, r.state, r.steps, r.attempts,"   \
  " c.committed_at, i.tbs, c.signature, p.signature_algorithm_der, p.ca_certificate_der" \
  " FROM registration AS r INDEXED BY " index                                            \
  " CROSS JOIN issuance AS i ON i.id = r.issuance_id"                                    \
  " CROSS JOIN certificate AS c ON c.issuance_id = i.id"                                 \
  " CROSS JOIN profile AS p ON p.id = i.profile_id"                                      \
  " CROSS JOIN production_order AS o ON o.id = i.order_id"                               \
  " WHERE " condition " AND r.issuance_id > ?2 ORDER BY r.issuance_id LIMIT ?3"

#define LINESIGN_TASKS                                                                     \
  "SELECT b.id, t.name, b.object_key, b.aws_task_id, b.state, b.first_issuance,"           \
  " b.last_issuance, b.lines, b.sha256, b.created_at, b.updated_at, b.reason, b.target_id" \
  " FROM bulk_task AS b JOIN cloud_target AS t ON t.id = b.target_id "

#define LINESIGN_REGISTRATIONS(index, condition)                                        \
  "SELECT r.issuance_id, i.device_id, o.name, r.state, r.steps, r.attempts, r.task_id," \
  " r.code, r.reason, r.certificate_id, r.updated_at, p.ca_certificate_der"             \
  " FROM registration AS r" index                                                       \
  " CROSS JOIN issuance AS i ON i.id = r.issuance_id"                                   \
  " CROSS JOIN profile AS p ON p.id = i.profile_id"                                     \
  " CROSS JOIN production_order AS o ON o.id = i.order_id"                              \
  " WHERE r.target_id = ?1 AND r.issuance_id > ?2" condition " ORDER BY r.issuance_id LIMIT ?3"

constexpr std::array kCloudRows = {
    CloudRow{CloudSql::Savepoint, kSavepoint, "SAVEPOINT cloud"},
    CloudRow{CloudSql::RollBackTo, kSavepoint, "ROLLBACK TO cloud"},
    CloudRow{CloudSql::ReleaseSavepoint, kSavepoint, "RELEASE cloud"},
    CloudRow{CloudSql::TargetByName,
             kTarget,
             "SELECT id, name, account, region, is_configured FROM cloud_target WHERE name = ?1"},
    CloudRow{CloudSql::Targets,
             kTarget,
             "SELECT id, name, account, region, is_configured FROM cloud_target ORDER BY name"},
    CloudRow{CloudSql::UnconfigureTargets, kTarget, "UPDATE cloud_target SET is_configured = 0"},
    CloudRow{CloudSql::SaveTarget,
             kTarget,
             "INSERT INTO cloud_target (name, account, region, is_configured, created_at)"
             " VALUES (?1, ?2, ?3, 1, ?4) ON CONFLICT (name) DO UPDATE SET is_configured = 1"},
    CloudRow{
        CloudSql::StopPlannedFeeds, kFeed, "UPDATE cloud_feed SET is_active = 0 WHERE origin = 1"},
    CloudRow{
        CloudSql::PlanFeed,
        kFeed,
        "INSERT INTO cloud_feed (order_id, target_id, origin, is_active, created_at)"
        " VALUES (?1, ?2, 1, 1, ?3) ON CONFLICT (order_id, target_id) DO UPDATE SET is_active = 1"
        " WHERE origin = 1"},
    CloudRow{CloudSql::SetFeed,
             kFeed,
             "INSERT INTO cloud_feed (order_id, target_id, origin, is_active, created_at)"
             " VALUES (?1, ?2, 2, ?3, ?4) ON CONFLICT (order_id, target_id)"
             " DO UPDATE SET origin = 2, is_active = excluded.is_active"},
    CloudRow{CloudSql::FeedsOfTarget,
             kFeed,
             "SELECT order_id, is_active, next_issuance_id, taken FROM cloud_feed"
             " WHERE target_id = ?1 ORDER BY order_id"},
    CloudRow{CloudSql::ScanIssuances,
             kTaking,
             "SELECT i.id, i.order_id, c.issuance_id IS NOT NULL FROM issuance AS i"
             " LEFT JOIN certificate AS c ON c.issuance_id = i.id"
             " WHERE i.id >= ?1 ORDER BY i.id LIMIT ?2"},
    CloudRow{CloudSql::AddRegistration,
             kTaking,
             "INSERT INTO registration (target_id, issuance_id, state, updated_at)"
             " VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING"},
    CloudRow{CloudSql::AdvanceFeed,
             kTaking,
             "UPDATE cloud_feed SET next_issuance_id = ?3, taken = taken + ?4"
             " WHERE order_id = ?1 AND target_id = ?2"},
    CloudRow{CloudSql::SettledExpected,
             kTaking,
             "SELECT r.issuance_id, EXISTS (SELECT 1 FROM certificate AS c"
             " WHERE c.issuance_id = r.issuance_id)"
             " FROM registration AS r INDEXED BY registration_expected"
             " WHERE r.target_id = ?1 AND r.state = 0"
             " AND NOT EXISTS (SELECT 1 FROM open_intent AS o WHERE o.issuance_id = r.issuance_id)"
             " ORDER BY r.issuance_id LIMIT ?2"},
    CloudRow{CloudSql::DropExpected,
             kTaking,
             "DELETE FROM registration WHERE target_id = ?1 AND issuance_id = ?2 AND state = 0"},
    CloudRow{CloudSql::UntakeVoid,
             kTaking,
             "UPDATE cloud_feed SET taken = taken - 1 WHERE target_id = ?1 AND order_id ="
             " (SELECT order_id FROM void_issuance WHERE issuance_id = ?2)"},
    CloudRow{CloudSql::CountWaiting,
             kTaking,
             "SELECT count(*) FROM (SELECT 1 FROM registration INDEXED BY registration_waiting"
             " WHERE target_id = ?1 AND state = 1 AND issuance_id > ?2 LIMIT ?3)"},
    CloudRow{CloudSql::WaitingItems,
             kReading,
             LINESIGN_ITEMS("registration_waiting", "r.target_id = ?1 AND r.state = 1")},
    CloudRow{
        CloudSql::RegistrationById,
        kBooking,
        "SELECT state, steps, attempts, task_id, code, reason, certificate_id FROM registration"
        " WHERE target_id = ?1 AND issuance_id = ?2"},
    CloudRow{
        CloudSql::SaveRegistration,
        kBooking,
        "UPDATE registration SET state = ?3, steps = ?4, attempts = ?5, task_id = ?6, code = ?7,"
        " reason = ?8, certificate_id = ?9, updated_at = ?10"
        " WHERE target_id = ?1 AND issuance_id = ?2"},
    CloudRow{CloudSql::ParkedIds,
             kBooking,
             "SELECT issuance_id FROM registration INDEXED BY registration_parked"
             " WHERE target_id = ?1 AND state = 3"
             " ORDER BY issuance_id LIMIT ?2"},
    CloudRow{CloudSql::ParkedIdsByCode,
             kBooking,
             "SELECT issuance_id FROM registration INDEXED BY registration_parked_code"
             " WHERE target_id = ?1 AND state = 3 AND code = ?2"
             " ORDER BY issuance_id LIMIT ?3"},
    CloudRow{
        CloudSql::AddCount,
        kBooking,
        "INSERT INTO registration_count (target_id, state, code, count) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (target_id, state, code) DO UPDATE SET count = count + excluded.count"},
    CloudRow{CloudSql::SubtractCount,
             kBooking,
             "UPDATE registration_count SET count = count - ?4"
             " WHERE target_id = ?1 AND state = ?2 AND code = ?3"},
    CloudRow{CloudSql::CertificateParts,
             kBooking,
             "SELECT i.tbs, p.signature_algorithm_der, c.signature FROM certificate AS c"
             " JOIN issuance AS i ON i.id = c.issuance_id JOIN profile AS p ON p.id = i.profile_id"
             " WHERE c.issuance_id = ?1"},
    CloudRow{CloudSql::InsertTask,
             kTask,
             "INSERT INTO bulk_task (target_id, object_key, state, created_at, updated_at)"
             " VALUES (?1, ?2, 1, ?3, ?3) ON CONFLICT (object_key) DO NOTHING"},
    CloudRow{CloudSql::TaskByKey, kTask, LINESIGN_TASKS "WHERE b.object_key = ?1"},
    CloudRow{CloudSql::TaskById, kTask, LINESIGN_TASKS "WHERE b.id = ?1"},
    CloudRow{CloudSql::OpenTasks,
             kTask,
             LINESIGN_TASKS "WHERE b.target_id = ?1 AND b.state < 5 ORDER BY b.id"},
    CloudRow{
        CloudSql::CountTaskLines,
        kTask,
        "UPDATE bulk_task SET lines = lines + ?2, updated_at = ?3, first_issuance ="
        " (SELECT min(issuance_id) FROM registration INDEXED BY registration_task WHERE task_id = "
        "?1 AND target_id = ?4),"
        " last_issuance ="
        " (SELECT max(issuance_id) FROM registration INDEXED BY registration_task WHERE task_id = "
        "?1 AND target_id = ?4)"
        " WHERE id = ?1"},
    CloudRow{CloudSql::SaveTask,
             kTask,
             "UPDATE bulk_task SET state = ?2, aws_task_id = ?3, sha256 = ?4, reason = ?5,"
             " updated_at = ?6 WHERE id = ?1"},
    CloudRow{CloudSql::TaskItems,
             kTask,
             LINESIGN_ITEMS("registration_task", "r.task_id = ?1 AND r.target_id = ?4")},
    CloudRow{CloudSql::MoveIntoTask,
             kTask,
             "UPDATE registration SET state = 5, task_id = ?1, updated_at = ?3"
             " WHERE target_id = ?2 AND issuance_id IN"
             " (SELECT issuance_id FROM registration INDEXED BY registration_waiting"
             " WHERE target_id = ?2 AND state = 1 ORDER BY issuance_id LIMIT ?4)"},
    CloudRow{
        CloudSql::MoveOutOfTask,
        kTask,
        "UPDATE registration SET state = 1, task_id = ?5, code = 0, reason = '', updated_at = ?3"
        " WHERE target_id = ?2 AND issuance_id IN"
        " (SELECT issuance_id FROM registration INDEXED BY registration_in_task"
        " WHERE task_id = ?1 AND target_id = ?2 AND state = 5 ORDER BY issuance_id LIMIT ?4)"},
    CloudRow{CloudSql::LineInTask,
             kTask,
             "SELECT issuance_id FROM registration INDEXED BY registration_in_task"
             " WHERE task_id = ?1 AND state = 5 LIMIT 1"},
    CloudRow{CloudSql::Counts,
             kStatus,
             "SELECT state, code, count FROM registration_count"
             " WHERE target_id = ?1 AND count > 0 ORDER BY state, code"},
    CloudRow{CloudSql::OldestWaiting,
             kStatus,
             "SELECT c.committed_at FROM registration AS r INDEXED BY registration_waiting"
             " CROSS JOIN certificate AS c ON c.issuance_id = r.issuance_id"
             " WHERE r.target_id = ?1 AND r.state = 1 ORDER BY r.issuance_id LIMIT 1"},
    CloudRow{CloudSql::OldestNotTaken,
             kStatus,
             "SELECT c.committed_at FROM certificate AS c WHERE c.issuance_id >= ?1"
             " ORDER BY c.issuance_id LIMIT 1"},
    CloudRow{
        CloudSql::OpenNotTaken,
        kStatus,
        "SELECT count(*) FROM open_intent AS o CROSS JOIN issuance AS i ON i.id = o.issuance_id"
        " WHERE o.issuance_id >= ?1 AND i.order_id = ?2"},
    CloudRow{CloudSql::ExpectedWithCertificate,
             kStatus,
             "SELECT count(*), min(c.committed_at)"
             " FROM registration AS r INDEXED BY registration_expected"
             " CROSS JOIN certificate AS c ON c.issuance_id = r.issuance_id"
             " WHERE r.target_id = ?1 AND r.state = 0"},
    CloudRow{CloudSql::ExpectedVoid,
             kStatus,
             "SELECT count(*) FROM registration AS r INDEXED BY registration_expected"
             " CROSS JOIN void_issuance AS v ON v.issuance_id = r.issuance_id"
             " WHERE r.target_id = ?1 AND r.state = 0 AND v.order_id = ?2"},
    CloudRow{CloudSql::OrderById, kStatus, "SELECT name FROM production_order WHERE id = ?1"},
    CloudRow{CloudSql::RegistrationPage, kReading, LINESIGN_REGISTRATIONS("", "")},
    CloudRow{CloudSql::ParkedPage,
             kReading,
             LINESIGN_REGISTRATIONS(" INDEXED BY registration_parked", " AND r.state = 3")},
    CloudRow{CloudSql::CertificatePage,
             "reading certificates",
             "SELECT i.id, i.device_id, i.serial, c.committed_at, i.tbs, p.signature_algorithm_der,"
             " c.signature, i.order_id, p.ca_certificate_der FROM certificate AS c"
             " CROSS JOIN issuance AS i ON i.id = c.issuance_id"
             " CROSS JOIN profile AS p ON p.id = i.profile_id"
             " WHERE c.issuance_id > ?1 ORDER BY c.issuance_id LIMIT ?2"},
    CloudRow{CloudSql::FirstOpenIntent,
             "reading open intents",
             "SELECT issuance_id FROM open_intent ORDER BY issuance_id LIMIT 1"},
    CloudRow{CloudSql::NewestCertificate,
             "reading certificates",
             "SELECT issuance_id FROM certificate ORDER BY issuance_id DESC LIMIT 1"},
    CloudRow{CloudSql::LedgerCas,
             "reading CA certificates",
             "SELECT ca_certificate_der, min(first_used_at) AS first_used_at FROM profile"
             " GROUP BY ca_certificate_der ORDER BY first_used_at, min(id)"},
};

#undef LINESIGN_ITEMS
#undef LINESIGN_TASKS
#undef LINESIGN_REGISTRATIONS

constexpr bool cloud_rows_are_in_order() {
  for (size_t i = 0; i < kCloudRows.size(); ++i)
    if (static_cast<size_t>(kCloudRows[i].name) != i) return false;
  return true;
}
static_assert(kCloudRows.size() == kCloudSqlCount && cloud_rows_are_in_order());

}  // namespace

Result<CloudStatements> CloudStatements::prepare(sqlite3* database) {
  CloudStatements all;
  all.statements_.reserve(kCloudRows.size());
  for (const CloudRow& row : kCloudRows) {
    LS_TRY(Statement statement, Statement::prepare(database, row.purpose, row.sql));
    all.statements_.push_back(std::move(statement));
  }
  return all;
}

}  // namespace linesign
