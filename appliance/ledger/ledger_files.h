// LedgerFiles: the files that SQLite has open, compared with what stands at their paths. SQLite
// goes on writing into a deleted file without noticing, and all of it is gone with the process.
//
// Errors   LedgerReplaced: deleted, moved or replaced, with the name
// Threads  that of the ledger
#ifndef LINESIGN_APPLIANCE_LEDGER_LEDGER_FILES_H_
#define LINESIGN_APPLIANCE_LEDGER_LEDGER_FILES_H_

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/base/unique_fd.h"

namespace linesign {

class LedgerFiles final {
 public:
  LedgerFiles() = default;
  // The database and its -wal; exclusive locking uses no -shm. REQUIRES: they are open by now.
  static Result<LedgerFiles> watch(const std::filesystem::path& database);

  // A few microseconds.
  Result<void> check() const;

  // Is what stands at `path` one of the open files?
  bool has_in_place(const std::filesystem::path& path) const;
  // Where the database is now; empty if it was deleted and, for all we know, only this process
  // still has it.
  std::string path_of_database() const;

 private:
  struct File {
    std::filesystem::path path;
    UniqueFd
        fd;  // O_PATH: keeps the inode's number from being used again; closing it drops no lock
    dev_t device = 0;
    ino_t inode = 0;

    bool is_at(const std::filesystem::path& place) const;
    std::string present_path() const;
  };
  std::vector<File> files_;  // the database first
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_LEDGER_LEDGER_FILES_H_
