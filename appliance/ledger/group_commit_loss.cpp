// A ledger that is lost: what is put where it stays, when it is opened again, and the end.
#include <unistd.h>

#include <utility>

#include <fmt/format.h>

#include "appliance/ledger/group_commit_implementation.h"

namespace linesign {
namespace {

constexpr std::chrono::milliseconds kReopenInterval(300);
constexpr std::chrono::seconds kRescueInterval(3);

bool takes_a_person(ErrorCode code) {
  return code == ErrorCode::LedgerCorrupt || code == ErrorCode::LedgerReplaced;
}

}  // namespace

Error GroupCommit::Implementation::not_done(const Error& reason) {
  if (reason.kind() == ErrorKind::Retry && reason.code() != ErrorCode::LedgerCommitUnknown)
    return reason;
  return Error(ErrorCode::LedgerUnavailable, reason.to_string());
}

// A failed commit leaves open whether it is there, and so do files that are gone.
Error GroupCommit::Implementation::in_doubt_or_not_done(const Error& reason) {
  if (reason.code() == ErrorCode::LedgerCommitUnknown) return reason;
  if (reason.code() == ErrorCode::LedgerReplaced)
    return Error(ErrorCode::LedgerCommitUnknown, reason.to_string());
  return not_done(reason);
}

void GroupCommit::Implementation::look_at_files() {
  if (auto looked = ledger_->check_files(); !looked.has_value()) lose(looked.error(), {});
}

void GroupCommit::Implementation::record_now(LedgerState state, bool is_closed) {
  if (keeper_ == nullptr) return;
  state.is_closed = is_closed;
  static_cast<void>(keeper_->write_now(state).has_value());  // the keeper tells a failure
}

// Gives the reason with the place of the rows, or keeps the ledger open if there is none yet.
Error GroupCommit::Implementation::rescue(std::unique_ptr<Ledger> ledger, const Error& replaced) {
  const auto place = ledger->rescue(settings_.state_file.parent_path());
  if (place.has_value()) {
    record_now(ledger->state(), true);
    return Error(replaced.code(), fmt::format("{}; {}", replaced.detail(), *place));
  }
  kept_ = std::move(ledger);
  replaced_ = replaced;
  next_try_ = std::chrono::steady_clock::now() + kRescueInterval;
  record_now(durable_, false);  // what the next start is to miss
  const std::string advice =
      is_ending_ ? "The newest rows end with linesignd"
                 : fmt::format(
                       "Do not stop linesignd: only its open files hold the newest rows "
                       "(/proc/{}/fd)",
                       ::getpid());
  return Error(replaced.code(),
               fmt::format("{}. {}, and saving them failed: {}",
                           replaced.detail(),
                           advice,
                           place.error().to_string()));
}

void GroupCommit::Implementation::rescue_kept() {
  const Error replaced = *replaced_;
  tell_lost(rescue(std::move(kept_), replaced));
}

void GroupCommit::Implementation::lose(Error error, Items items) {
  const Error answer = in_doubt_or_not_done(error);
  next_try_ = std::chrono::steady_clock::now();
  // The open files go with the ledger. If they have no names by now, all rows would go with them.
  auto looked = ledger_->check_files();
  if (!looked.has_value() && looked.error().code() == ErrorCode::LedgerReplaced) {
    error = rescue(std::move(ledger_), looked.error());
  } else {
    record_now(durable_, false);  // reopen() compares with it
  }
  ledger_.reset();  // rolls back what was not committed
  ++epoch_;
  is_beyond_repair_ = takes_a_person(error.code());
  lost_ = error;
  completions_.post({.lost = std::move(error), .items = std::move(items), .error = answer});
}

void GroupCommit::Implementation::tell_lost(const Error& error) {
  const bool is_known =
      lost_.has_value() && lost_->code() == error.code() && lost_->detail() == error.detail();
  if (is_known) return;
  lost_ = error;
  completions_.post({.lost = error});
}

void GroupCommit::Implementation::reopen() {
  if (std::chrono::steady_clock::now() < next_try_) return;
  if (kept_ != nullptr) return rescue_kept();
  if (is_beyond_repair_) return;
  auto opened = Ledger::open(settings_);
  auto intents = opened.has_value() ? (*opened)->open_intents()
                                    : Result<std::vector<RecordedIntent>>(fail(opened.error()));
  if (intents.has_value()) {
    ledger_ = std::move(*opened);
    checkpoint_pages_ = 0;
    note_durable();  // a commit that was in doubt may be there
    completions_.post({.recovered = std::move(*intents), .epoch = epoch_});
    return;
  }
  next_try_ = std::chrono::steady_clock::now() + kReopenInterval;
  is_beyond_repair_ = takes_a_person(intents.error().code());
  tell_lost(intents.error());
}

// All is in the database, and the record says so: the next start finds exactly this. Else the -wal
// stays and is wanted.
void GroupCommit::Implementation::finish() {
  is_ending_ = true;
  if (kept_ != nullptr) {
    rescue_kept();
  } else if (ledger_ != nullptr) {
    if (auto emptied = ledger_->prepare_close(); !emptied.has_value()) {
      lose(emptied.error(), {});
    } else {
      record_now(ledger_->state(), true);
    }
  }
  ledger_.reset();
  kept_.reset();
}

}  // namespace linesign
