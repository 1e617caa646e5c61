// LedgerStateKeeper: writes the ledger's state into its file, on a thread of its own, so that no
// commit waits for that disk.
//
// Limits   one write in a second; the file is about a second behind, never ahead. After a failure
//          it tries again every second
// Threads  note() and write_now() from any thread; `on_result` on the keeper's
#ifndef LINESIGN_APPLIANCE_LEDGER_LEDGER_STATE_KEEPER_H_
#define LINESIGN_APPLIANCE_LEDGER_LEDGER_STATE_KEEPER_H_

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "appliance/ledger/ledger_state.h"

namespace linesign {

class LedgerStateKeeper final {
 public:
  // Told when writing begins to fail, for another reason too, and when it succeeds again.
  using OnResult = std::function<void(const std::optional<Error>& error)>;
  // REQUIRES: the ledger is open, so that no other process writes the file.
  LedgerStateKeeper(std::filesystem::path file, OnResult on_result);
  LedgerStateKeeper(const LedgerStateKeeper&) = delete;
  LedgerStateKeeper& operator=(const LedgerStateKeeper&) = delete;
  ~LedgerStateKeeper();  // writes nothing more

  // REQUIRES: durable in the ledger.
  void note(const LedgerState& state);
  // Durable when it returns; what was noted before is dropped. After a failure it is tried again.
  Result<void> write_now(const LedgerState& state);

 private:
  void run();
  void write_noted();
  void note_again(const LedgerState& state);
  void tell(const Result<void>& result);

  std::filesystem::path file_;
  OnResult on_result_;
  std::mutex file_mutex_;         // taken before mutex_: writes reach the file in their order
  std::optional<Error> failure_;  // guarded by file_mutex_
  std::mutex mutex_;
  std::condition_variable wake_;
  std::optional<LedgerState> noted_;  // guarded by mutex_
  bool is_stopping_ = false;          // guarded by mutex_
  std::thread thread_;                // last: it uses all of the above
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_LEDGER_LEDGER_STATE_KEEPER_H_
