#include "appliance/ledger/ledger_statements.h"

#include <array>

namespace linesign {
namespace {

struct Row {
  Sql name;
  const char* purpose;  // for people, in errors
  const char* sql;
};

// `ON CONFLICT DO NOTHING` and the number of changed rows say whether a UNIQUE constraint was met;
// which one it was is looked up afterwards. (`INSERT OR IGNORE` would also ignore NOT NULL.)
//
// A clock may be set back while a request is under way: max() keeps the times of one device in
// order.
constexpr std::array kRows = {
    Row{Sql::Begin, "beginning a transaction", "BEGIN IMMEDIATE"},
    Row{Sql::Commit, "committing", "COMMIT"},
    Row{Sql::OrderByName,
        "reading an order",
        "SELECT id, name, state, quantity, reserved, voided FROM production_order"
        " WHERE name = $1"},
    Row{Sql::OrderById,
        "reading an order",
        "SELECT id, name, state, quantity, reserved, voided FROM production_order"
        " WHERE id = $1"},
    Row{Sql::SaveOrder,
        "counting an order's units",
        "UPDATE production_order SET reserved = $1, voided = $2 WHERE id = $3"},
    Row{Sql::ProfileByHash, "reading a profile", "SELECT id FROM profile WHERE sha256 = $1"},
    Row{Sql::InsertProfile,
        "recording a profile",
        "INSERT INTO profile (sha256, canonical_text, ca_certificate_der,"
        " signature_algorithm_der, first_used_at) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (sha256) DO NOTHING"},
    Row{Sql::InsertIntent,
        "recording an intent",
        "INSERT INTO issuance (id, serial, order_id, device_id, request_id, station_id,"
        " csr_sha256, key_sha256, profile_id, issued_at, tbs)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING"},
    Row{Sql::InsertOpenIntent,
        "recording an intent",
        "INSERT INTO open_intent (issuance_id, csr) VALUES ($1, $2)"},
    Row{Sql::DeleteOpenIntent,
        "ending an intent",
        "DELETE FROM open_intent WHERE issuance_id = $1"},
    Row{Sql::InsertCertificate,
        "recording a certificate",
        "INSERT INTO certificate (issuance_id, signature, committed_at) VALUES"
        " ($1, $2, max($3, coalesce((SELECT issued_at FROM issuance WHERE id = $1), 0)))"},
    Row{Sql::CopyToVoid,
        "recording a void",
        "INSERT INTO void_issuance (issuance_id, serial, order_id, device_id, request_id,"
        " station_id, csr_sha256, key_sha256, profile_id, issued_at, reason, voided_at)"
        " SELECT id, serial, order_id, device_id, request_id, station_id, csr_sha256,"
        " key_sha256, profile_id, issued_at, $1, max($2, issued_at) FROM issuance WHERE id = $3"},
    Row{Sql::OrderOfIssuance, "recording a void", "SELECT order_id FROM issuance WHERE id = $1"},
    Row{Sql::DeleteIssuance, "recording a void", "DELETE FROM issuance WHERE id = $1"},
    Row{Sql::InsertDelivery,
        "recording a delivery",
        "INSERT INTO delivery (issuance_id, station_id, delivered_at) VALUES"
        " ($1, $2, max($3, coalesce("
        "(SELECT committed_at FROM certificate WHERE issuance_id = $1), 0)))"
        " ON CONFLICT DO NOTHING"},
    Row{Sql::InsertConfirmation,
        "recording a confirmation",
        "INSERT INTO confirmation (issuance_id, confirmed_at) VALUES"
        " ($1, max($2, coalesce((SELECT delivered_at FROM delivery WHERE issuance_id = $1),"
        " (SELECT committed_at FROM certificate WHERE issuance_id = $1), 0)))"
        " ON CONFLICT DO NOTHING"},
    Row{Sql::ByRequest,
        "looking up a request",
        "SELECT i.id, i.tbs, c.signature, i.csr_sha256, i.device_id FROM issuance AS i"
        " LEFT JOIN certificate AS c ON c.issuance_id = i.id"
        " WHERE i.order_id = $1 AND i.request_id = $2"},
    Row{Sql::ByDevice,
        "looking up a device",
        "SELECT c.issuance_id FROM issuance AS i"
        " LEFT JOIN certificate AS c ON c.issuance_id = i.id"
        " WHERE i.order_id = $1 AND i.device_id = $2"},
    Row{Sql::ByKey,
        "looking up a key",
        "SELECT c.issuance_id FROM issuance AS i"
        " LEFT JOIN certificate AS c ON c.issuance_id = i.id WHERE i.key_sha256 = $1"},
    Row{Sql::CertificateById,
        "reading a certificate",
        "SELECT i.id, i.tbs, c.signature FROM certificate AS c"
        " JOIN issuance AS i ON i.id = c.issuance_id WHERE c.issuance_id = $1"},
    Row{Sql::CertificateByDevice,
        "reading a certificate",
        "SELECT i.id, i.tbs, c.signature, p.signature_algorithm_der FROM issuance AS i"
        " JOIN certificate AS c ON c.issuance_id = i.id"
        " JOIN profile AS p ON p.id = i.profile_id"
        " WHERE i.order_id = $1 AND i.device_id = $2"},
    Row{Sql::OpenIntents,
        "reading open intents",
        "SELECT i.id, i.device_id, i.serial, p.sha256, i.issued_at, i.tbs, o.csr"
        " FROM open_intent AS o CROSS JOIN issuance AS i ON i.id = o.issuance_id"
        " JOIN profile AS p ON p.id = i.profile_id ORDER BY o.issuance_id"},
    Row{Sql::OpenOfOrder,
        "reading open intents",
        "SELECT o.issuance_id FROM open_intent AS o"
        " CROSS JOIN issuance AS i ON i.id = o.issuance_id WHERE i.order_id = $1"},
};

constexpr bool is_in_order() {
  for (size_t i = 0; i < kRows.size(); ++i)
    if (static_cast<size_t>(kRows[i].name) != i) return false;
  return true;
}
static_assert(kRows.size() == kSqlCount && is_in_order());

}  // namespace

Result<LedgerStatements> LedgerStatements::prepare(sqlite3* database) {
  LedgerStatements all;
  all.statements_.reserve(kRows.size());
  for (const Row& row : kRows) {
    LS_TRY(Statement statement, Statement::prepare(database, row.purpose, row.sql));
    all.statements_.push_back(std::move(statement));
  }
  return all;
}

}  // namespace linesign
