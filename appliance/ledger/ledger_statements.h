// LedgerStatements: every statement of the issuance path, compiled once when the ledger is opened.
#ifndef LINESIGN_APPLIANCE_LEDGER_LEDGER_STATEMENTS_H_
#define LINESIGN_APPLIANCE_LEDGER_LEDGER_STATEMENTS_H_

#include <vector>

#include "appliance/ledger/statement.h"

namespace linesign {

// Names a row of the table in ledger_statements.cpp, in its order.
enum class Sql : uint8_t {
  Begin,
  Commit,
  OrderByName,
  OrderById,
  SaveOrder,
  ProfileByHash,
  InsertProfile,
  InsertIntent,
  InsertOpenIntent,
  DeleteOpenIntent,
  InsertCertificate,
  CopyToVoid,
  OrderOfIssuance,
  DeleteIssuance,
  InsertDelivery,
  InsertConfirmation,
  ByRequest,
  ByDevice,
  ByKey,
  CertificateById,
  CertificateByDevice,
  OpenIntents,
  OpenOfOrder,
};
constexpr size_t kSqlCount = 23;

class LedgerStatements final {
 public:
  static Result<LedgerStatements> prepare(sqlite3* database);
  Statement& operator[](Sql name) { return statements_[static_cast<size_t>(name)]; }

 private:
  LedgerStatements() = default;
  std::vector<Statement> statements_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_LEDGER_LEDGER_STATEMENTS_H_
