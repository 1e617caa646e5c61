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
#include <span>
#include <string>
#include <utility>

#include <Poco/Data/Session.h>
#include <sqlite3.h>

#include "appliance/ledger/ledger.h"
#include "appliance/ledger/ledger_files.h"
#include "appliance/ledger/migrations.h"
#include "appliance/ledger/sqlite_error.h"
#include "protocol/base/result.h"
#include "protocol/base/unique_fd.h"

namespace linesign {

class Database final {
 public:
  // A ledger whose schema is below `oldest_schema` keeps it: LedgerOlder, or LedgerUnknown if it is
  // empty; so does one from before identities that is not `only` (null: any). Until keep_wal() a
  // close leaves the -wal as it was found: there, or not there; a log that was there is moved into
  // the database.
  static Result<std::unique_ptr<Database>> open(const LedgerSettings& settings,
                                                int64_t oldest_schema,
                                                const LedgerId* only);

  Poco::Data::Session& session() { return session_; }
  sqlite3* handle() { return handle_; }
  const LedgerFiles& files() const { return files_; }

  // From now on the -wal stays when the database is closed, as after a kill.
  void keep_wal();
  // Moves the log into the database, durably: the log is empty then.
  Result<void> prepare_close();
  // Ends a transaction that a failure has left open.
  Result<void> roll_back();
  // For LedgerReplaced, with no transaction open: puts every committed row where it stays when this
  // process ends. Says where that is, for people. `spare_folder`: where a copy goes if the ledger's
  // own folder takes none.
  Result<std::string> rescue(const std::filesystem::path& spare_folder);

 private:
  // Holds its process id as long as it is locked; empty after an orderly stop.
  class Lock final {
   public:
    static Result<Lock> take(const std::filesystem::path& path);
    Lock(Lock&&) = default;
    Lock& operator=(Lock&&) = delete;
    ~Lock();

   private:
    explicit Lock(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
  };

  Database(std::filesystem::path file, Lock lock, Poco::Data::Session session);

  Result<void> configure();
  Result<void> migrate(int64_t oldest_schema, const LedgerId* only);
  Result<void> check_first_serial(const LedgerId& only);
  Result<void> apply(std::span<const Migration> missing, size_t schema);
  Result<void> script(const char* sql, const char* purpose);
  Result<int64_t> number(const std::string& sql);
  Result<void> empty_wal();
  Result<std::string> put_foreign_log_aside();
  Result<std::filesystem::path> copy_into(const std::filesystem::path& folder);
  Result<void> copy_to(const std::filesystem::path& target);

  std::filesystem::path file_;
  Lock lock_;  // released last
  Poco::Data::Session session_;
  sqlite3* handle_;  // the session's own
  LedgerFiles files_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_LEDGER_DATABASE_H_
