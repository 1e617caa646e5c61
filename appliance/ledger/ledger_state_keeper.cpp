#include "appliance/ledger/ledger_state_keeper.h"

#include <utility>

namespace linesign {
namespace {

constexpr std::chrono::seconds kInterval(1);

}  // namespace

LedgerStateKeeper::LedgerStateKeeper(std::filesystem::path file, OnResult on_result)
    : file_(std::move(file)), on_result_(std::move(on_result)) {
  remove_unfinished_state(file_);
  thread_ = std::thread([this] { run(); });
}

LedgerStateKeeper::~LedgerStateKeeper() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void LedgerStateKeeper::note(const LedgerState& state) {
  {
    const std::lock_guard lock(mutex_);
    const bool is_first = !noted_.has_value();
    noted_ = state;
    if (!is_first) return;
  }
  wake_.notify_one();
}

Result<void> LedgerStateKeeper::write_now(const LedgerState& state) {
  const std::lock_guard file_lock(file_mutex_);
  {
    const std::lock_guard lock(mutex_);
    noted_.reset();
  }
  Result<void> result = write_ledger_state(file_, state);
  if (!result.has_value()) note_again(state);
  tell(result);
  return result;
}

void LedgerStateKeeper::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return is_stopping_ || noted_.has_value(); });
    if (is_stopping_) return;
    const auto next = std::chrono::steady_clock::now() + kInterval;
    lock.unlock();
    write_noted();
    lock.lock();
    if (wake_.wait_until(lock, next, [this] { return is_stopping_; })) return;
  }
}

void LedgerStateKeeper::write_noted() {
  const std::lock_guard file_lock(file_mutex_);
  std::optional<LedgerState> state;
  {
    const std::lock_guard lock(mutex_);
    state = std::exchange(noted_, std::nullopt);
  }
  if (!state.has_value()) return;
  const Result<void> result = write_ledger_state(file_, *state);
  if (!result.has_value()) note_again(*state);
  tell(result);
}

// Unless something newer was noted meanwhile.
void LedgerStateKeeper::note_again(const LedgerState& state) {
  {
    const std::lock_guard lock(mutex_);
    if (noted_.has_value()) return;
    noted_ = state;
  }
  wake_.notify_one();
}

void LedgerStateKeeper::tell(const Result<void>& result) {
  std::optional<Error> failure;
  if (!result.has_value()) failure = result.error();
  const bool is_same = failure.has_value() == failure_.has_value() &&
                       (!failure.has_value() || failure->detail() == failure_->detail());
  failure_ = failure;
  if (!is_same && on_result_) on_result_(failure);
}

}  // namespace linesign
