// CloudStatements: every statement of LedgerCloud, compiled once when the ledger is opened.
#ifndef LINESIGN_APPLIANCE_LEDGER_LEDGER_CLOUD_STATEMENTS_H_
#define LINESIGN_APPLIANCE_LEDGER_LEDGER_CLOUD_STATEMENTS_H_

#include <vector>

#include "appliance/ledger/statement.h"

namespace linesign {

// Names a row of the table in ledger_cloud_statements.cpp, in its order.
enum class CloudSql : uint8_t {
  Savepoint,
  RollBackTo,
  ReleaseSavepoint,
  TargetByName,
  Targets,
  UnconfigureTargets,
  SaveTarget,
  StopPlannedFeeds,
  PlanFeed,
  SetFeed,
  FeedsOfTarget,
  ScanIssuances,
  AddRegistration,
  AdvanceFeed,
  SettledExpected,
  DropExpected,
  UntakeVoid,
  CountWaiting,
  WaitingItems,
  RegistrationById,
  SaveRegistration,
  ParkedIds,
  ParkedIdsByCode,
  AddCount,
  SubtractCount,
  CertificateParts,
  InsertTask,
  TaskByKey,
  TaskById,
  OpenTasks,
  CountTaskLines,
  SaveTask,
  TaskItems,
  MoveIntoTask,
  MoveOutOfTask,
  LineInTask,
  Counts,
  OldestWaiting,
  OldestNotTaken,
  OpenNotTaken,
  ExpectedWithCertificate,
  ExpectedVoid,
  OrderById,
  RegistrationPage,
  ParkedPage,
  CertificatePage,
  FirstOpenIntent,
  NewestCertificate,
  LedgerCas,
};
constexpr size_t kCloudSqlCount = 49;

class CloudStatements final {
 public:
  static Result<CloudStatements> prepare(sqlite3* database);
  Statement& operator[](CloudSql name) { return statements_[static_cast<size_t>(name)]; }

 private:
  CloudStatements() = default;
  std::vector<Statement> statements_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_LEDGER_LEDGER_CLOUD_STATEMENTS_H_
