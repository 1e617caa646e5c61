// Database: the ledger's file, opened for this process alone and brought to the present schema.
//
// Files    <directory>/ledger.sqlite (-wal), ledger.lock (flock'ed; holds the owner's process id)
// Settings WAL, synchronous=FULL, locking_mode=EXCLUSIVE: docs/ledger.md says why
// Errors   see Ledger::open
// Threads  that of the ledger
#ifndef LINESIGN_APPLIANCE_LEDGER_DATABASE_H_
#define LINESIGN_APPLIANCE_LEDGER_DATABASE_H_

#include <filesystem>
#include <memory>
#include <utility>

#include <Poco/Data/Session.h>
#include <sqlite3.h>

#include "appliance/ledger/ledger.h"
#include "appliance/ledger/sqlite_error.h"
#include "protocol/base/result.h"
#include "protocol/base/unique_fd.h"

namespace linesign {

constexpr int kLedgerApplicationId = 0x4c534c31;  // "LSL1", in the file's header

class Database final {
 public:
  static Result<std::unique_ptr<Database>> open(const LedgerSettings& settings);

  Poco::Data::Session& session() { return session_; }
  sqlite3* handle() { return handle_; }

 private:
  Database(UniqueFd lock, Poco::Data::Session session);

  Result<void> configure();
  Result<void> migrate();
  Result<void> apply(int version, const char* name, const char* sql);
  Result<void> script(const char* sql, const char* purpose);
  Result<int64_t> pragma(const std::string& name);
  Result<void> empty_wal();

  UniqueFd lock_;  // released last
  Poco::Data::Session session_;
  sqlite3* handle_;  // the session's own
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_LEDGER_DATABASE_H_
