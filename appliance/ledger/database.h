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
#include "appliance/ledger/ledger_files.h"
#include "appliance/ledger/sqlite_error.h"
#include "protocol/base/result.h"
#include "protocol/base/unique_fd.h"

namespace linesign {

class Database final {
 public:
  // A ledger whose schema is below `oldest_schema` is LedgerUnknown, and stays as it is.
  static Result<std::unique_ptr<Database>> open(const LedgerSettings& settings,
                                                int64_t oldest_schema);

  Poco::Data::Session& session() { return session_; }
  sqlite3* handle() { return handle_; }
  int64_t schema_at_open() const { return schema_at_open_; }
  const LedgerFiles& files() const { return files_; }

  // From now on the -wal stays when the database is closed, as after a kill.
  void keep_wal();
  // Moves the log into the database, durably: the log is empty then.
  Result<void> prepare_close();
  // For LedgerReplaced: puts every committed row where it stays when this process ends. Says where
  // that is, for people. `spare_folder`: where a copy goes if the ledger's own folder takes none.
  Result<std::string> rescue(const std::filesystem::path& spare_folder);

 private:
  Database(std::filesystem::path file, UniqueFd lock, Poco::Data::Session session);

  Result<void> configure();
  Result<void> migrate(int64_t oldest_schema);
  Result<void> apply(int version, const char* name, const char* sql);
  Result<void> script(const char* sql, const char* purpose);
  Result<int64_t> pragma(const std::string& name);
  Result<void> empty_wal();
  Result<void> copy_to(const std::filesystem::path& target);

  std::filesystem::path file_;
  UniqueFd lock_;  // released last
  Poco::Data::Session session_;
  sqlite3* handle_;  // the session's own
  LedgerFiles files_;
  int64_t schema_at_open_ = 0;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_LEDGER_DATABASE_H_
