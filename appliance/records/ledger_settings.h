// Where the ledger is: known to the configuration, which opens none.
//
// Threads  plain values
#ifndef LINESIGN_APPLIANCE_RECORDS_LEDGER_SETTINGS_H_
#define LINESIGN_APPLIANCE_RECORDS_LEDGER_SETTINGS_H_

#include <filesystem>
#include <string>

namespace linesign {

constexpr int kLedgerApplicationId = 0x4c534c31;  // "LSL1", in the file's header
constexpr const char* kLedgerFileName = "ledger.sqlite";

struct LedgerSettings {
  std::filesystem::path directory;  // made if absent, 0700
  std::string vfs = {};             // SQLite's file layer by name; empty outside of tests
  // Outside of `directory`: what this appliance has recorded of its ledger. Empty: nothing is
  // recorded and nothing compared, as tests and tools want it.
  std::filesystem::path state_file = {};
  // A file that exists since the appliance's first start: then an empty ledger is the wrong one.
  std::filesystem::path in_use_mark = {};
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_RECORDS_LEDGER_SETTINGS_H_
