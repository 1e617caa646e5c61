// Where the ledger is: known to the configuration, which opens none.
//
// Threads  plain values
#ifndef LINESIGN_APPLIANCE_RECORDS_LEDGER_SETTINGS_H_
#define LINESIGN_APPLIANCE_RECORDS_LEDGER_SETTINGS_H_

#include <filesystem>
#include <string>

namespace linesign {

struct LedgerSettings {
  std::filesystem::path directory;  // made if absent, 0700
  std::string vfs = {};             // SQLite's file layer by name; empty outside of tests
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_RECORDS_LEDGER_SETTINGS_H_
