// AccountCommands: what an operator does with one target by hand. Each prints what it found or did,
// one line for each thing, and gives the exit code.
//
// Errors   of AWS as they are; those that a person mends come with what to do
// Threads  one
#ifndef LINESIGN_APPLIANCE_CLOUD_UPLOADER_ACCOUNT_COMMANDS_H_
#define LINESIGN_APPLIANCE_CLOUD_UPLOADER_ACCOUNT_COMMANDS_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <ostream>
#include <set>
#include <string>

#include "appliance/cloud/registration/target_setup.h"
#include "protocol/base/progress_display.h"

namespace linesign {

constexpr int kExitConfiguration = 78;  // a preflight found a problem

struct AccountCommand {
  const TargetSetup* setup = nullptr;  // borrowed, as all below
  const TargetConnection* connection = nullptr;
  Outbox* outbox = nullptr;  // for reconciling
  std::ostream* out = nullptr;
  // Of reconciling, which takes minutes: how many there are to compare, about, and who is shown how
  // far it is; `before_line` makes room for a line of `out`.
  uint64_t certificates = 0;
  std::function<void(const Progress&)> on_progress = [](const Progress&) {};
  std::function<void()> before_line = [] {};
  bool is_deep = false;                // reconcile things and policies too
  bool may_repair = false;             // and register again what is missing
  std::set<std::string> devices = {};  // those to look at closely or to repair; empty: all
  // Reconciling: until AWS is asked again; false: not any more.
  std::function<bool(std::chrono::milliseconds)> wait = [](std::chrono::milliseconds) {
    return false;
  };
};

// What a verification certificate is made of: "registered" where the CA is there in the wanted
// mode already, else the code. One word.
Result<int> print_registration_code(const AccountCommand& command);

// `proof`: PEM, for mode DEFAULT.
Result<int> register_ca(const AccountCommand& command, const std::string& proof);
Result<int> deactivate_ca(const AccountCommand& command);
Result<int> delete_ca(const AccountCommand& command);

// 0: no problem; 78: at least one.
Result<int> print_preflight(const AccountCommand& command);

// 0: the same on both sides; 65: differences.
Result<int> print_reconciliation(const AccountCommand& command);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_CLOUD_UPLOADER_ACCOUNT_COMMANDS_H_
