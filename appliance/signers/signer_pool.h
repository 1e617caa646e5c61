// SignerPool: keeps N signer processes alive and busy, has requests checked by one of them, and
// gives each recorded intent to one of them until there is a signature or a proof that there will
// be none.
//
// An intent goes to the signer that has checked and built it, by its number alone. Where that one
// is gone, has forgotten, or is stuck while another is idle, the whole intent goes to another,
// which checks anew.
//
// While none is logged in, one signer at a time may try the PIN, so that a wrong one costs one try;
// after a refusal none is started until the one that was refused sees another PIN in the file; if
// that one ends, one other takes its place, which remembers the PIN and does not try it. One
// that hangs before its login does not keep the next from starting, one that hangs after it keeps
// nobody. One that signs wrongly is quarantined, and in the end nobody signs: SignatureWatch.
//
// A signer that does not answer in time is killed and replaced at once, whether the kernel lets its
// process end or not; one that ends is replaced (20 ms, doubling to
// 0.5 s while starts fail), and its jobs go to another with the same bytes. A job over which
// signers died is sent alone, and later and later. The next batch goes to who has the least work.
//
// Errors   obstacle() says why nothing can be signed
// Threads  the event loop's thread only
// Source   docs/decisions/ (signers are processes)
#ifndef LINESIGN_APPLIANCE_SIGNERS_SIGNER_POOL_H_
#define LINESIGN_APPLIANCE_SIGNERS_SIGNER_POOL_H_

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "appliance/ledger/priority.h"
#include "appliance/signers/check_request.h"
#include "appliance/signers/lock_watch.h"
#include "appliance/signers/signature_watch.h"
#include "appliance/signers/signer_process.h"
#include "appliance/signers/signing_pace.h"
#include "appliance/signers/work_queues.h"
#include "protocol/base/clock.h"
#include "protocol/event/event_loop.h"

namespace linesign {

struct SignerPoolSettings {
  std::filesystem::path executable;  // linesign-signer
  std::filesystem::path config;      // linesign.toml, which each signer reads by itself
  int signers = 1;
  int threads_per_signer = 1;
  std::chrono::milliseconds sign_timeout = std::chrono::seconds(2);
  std::chrono::milliseconds start_timeout = std::chrono::seconds(10);
  std::filesystem::path login_lock;          // of the configuration: who holds it is named
  std::filesystem::path wrong_signatures{};  // of SignatureWatch
  Sha256 profile_hash{};                     // what each signer must say that it builds from
  // Borrowed; for signers with a user of their own. Absent: linesignd starts them by itself.
  SignerLauncher* launcher = nullptr;
};

struct SignerPoolEvents {
  // Who remembers it; or why it cannot become an intent: an error of kind Refuse is final.
  std::function<void(const CheckRequest& request, Result<CheckedBy> checked)> on_checked;
  // The verified signature; or an error of kind Refuse, which proves that nothing was signed.
  std::function<void(const RecordedIntent& intent, Result<ByteView> signature)> on_signed;
  // The pool can sign now, or cannot any more: see obstacle().
  std::function<void()> on_change;
  // One line for the log.
  std::function<void(const Error& error)> on_trouble;
  // How long signatures take, now and then. May be empty.
  std::function<void(const PaceNews& news)> on_pace;
  // What the token says of PIN tries, when it is new. May be empty.
  std::function<void(const std::string& warning)> on_pin_warning{};
};

struct SignerInfo {
  int pid = 0;
  std::string state;  // "ready", "starting", "waiting", "stopped", "quarantined"
  uint64_t restarts = 0;
  uint64_t signatures = 0;
  uint64_t wrong_signatures = 0;
  std::optional<UnixTime> quarantined_since{};
};

class SignerPool final {
 public:
  SignerPool(EventLoop& loop,
             const Clock& clock,
             SignerPoolSettings settings,
             SignerPoolEvents events);
  SignerPool(const SignerPool&) = delete;
  SignerPool& operator=(const SignerPool&) = delete;
  ~SignerPool();

  void start();

  // Stations have their turns. While urgent requests come, batches are short, because what is in a
  // batch waits for all of those before it. Each check is answered once, unless the queue is
  // forgotten or it is_unwanted.
  void check(std::shared_ptr<const CheckRequest> request, Priority priority = Priority::Normal);

  // `station_id` is whose intent it is. REQUIRES: the intent's transaction is committed.
  void sign(std::shared_ptr<const RecordedIntent> intent,
            const CheckedBy& checked_by,
            int64_t station_id,
            Priority priority = Priority::Normal);

  // What an operator says of an HSM that signed wrongly: all signers may sign again. How many were
  // in quarantine.
  Result<size_t> trust();

  // Takes what has become of processes; it looks by itself now and then.
  void take_reports();

  // Drops the queued checks that are unwanted, so that they keep nobody waiting.
  void drop_unwanted() { work_.drop_unwanted(); }

  // Drops what is queued; results that still come are for nobody. The ledger has the intents.
  void forget_queue();

  bool is_ready() const { return ready_ > 0; }
  // Why nothing can be signed; absent while a signer is ready.
  std::optional<Error> obstacle() const;
  const std::string& token() const { return token_; }
  // What the signer that became ready last said of itself: a sentence each.
  const std::vector<std::string>& missing_protections() const { return missing_protections_; }
  // What the token said last of PIN tries; empty: nothing since the start.
  const std::string& pin_warning() const { return pin_warning_; }
  std::vector<SignerInfo> signers() const;
  size_t queued() const { return work_.size(); }

 private:
  struct Slot {
    std::unique_ptr<SignerProcess> process;
    std::unique_ptr<Timer> restart;
    std::chrono::milliseconds backoff{0};
    bool waiting = false;  // for its restart timer
    uint64_t starts = 0;
    uint64_t signatures = 0;  // of its former processes
  };
  // One that is no more in a slot, but not known to have ended.
  struct Leaving {
    int pid = 0;
    bool has_stopped = false;  // by itself
    SteadyTime since;
    bool is_told = false;  // that it does not end
  };
  // Told to leave while it tries the PIN: a kill there can empty a token.
  struct Departing {
    std::unique_ptr<SignerProcess> process;
    SteadyTime until;
  };
  SignerHost& host();
  void take_report(const SignerReport& report);
  void on_gone(uint64_t id, int status);
  bool waits_for_ends();
  void tell_of_stuck();
  void start_slot(size_t index);
  SignerProcess::Events slot_events(size_t index);
  bool is_pin_proved() const;
  bool is_start_hopeful(const Slot& slot) const;
  void start_next();
  void allow_logins();
  void on_restart_time(size_t index);
  // Absent: a little later each time.
  void schedule_restart(size_t index, std::optional<std::chrono::milliseconds> wait = {});
  void on_phase(size_t index);
  void on_pin_refused(size_t index, Error reason);
  void on_new_pin(size_t index);
  void on_ready(size_t index, const signer::v1::Ready& ready);
  void on_checked(const SignerProcess& signer,
                  const CheckJob& job,
                  const signer::v1::CheckResult& result);
  void on_result(SignJob job, const signer::v1::SignResult& result);
  void on_ended(size_t index, Error reason);
  bool is_out_of_service(size_t index, Error& reason);
  bool refuse_untrusted();
  void stop_all(const SignerProcess* spare = nullptr);
  void tell(const Error& error, bool is_look);
  void on_watcher_ended(size_t index);
  void retire(size_t index, bool blame);
  void let_go(std::unique_ptr<SignerProcess> process);
  void end(std::unique_ptr<SignerProcess> process);
  void end_departing(SteadyTime now);
  void note_urgent(Priority priority);
  void dispatch();
  std::optional<size_t> least_busy(const std::vector<size_t>& full);
  bool help_out(const std::vector<size_t>& full);
  bool is_stuck(const SignerProcess& process) const;
  BatchLimits batch_limits() const;
  void watch_over();
  bool is_late(const SignerProcess& process, SteadyTime now) const;
  void look_at_lock(SteadyTime now);

  EventLoop& loop_;
  const Clock& clock_;
  SignerPoolSettings settings_;
  SignerPoolEvents events_;
  OwnSigners own_;  // without a launcher
  std::map<uint64_t, Leaving> leaving_;
  std::vector<Departing> departing_;
  std::vector<Slot> slots_;
  std::vector<std::unique_ptr<SignerProcess>> ended_;  // destroyed outside their own callbacks
  WorkQueues work_;
  std::unique_ptr<Timer> watchdog_;
  size_t ready_ = 0;
  size_t next_slot_ = 0;
  bool stopped_ = false;  // the PIN was refused, or the HSM signs wrongly
  SignatureWatch signatures_;
  SigningPace pace_;
  LockWatch lock_watch_;
  std::optional<Error> held_up_;  // by the lock's holder; told once
  SteadyTime looked_at_;          // the lock
  std::optional<Error> told_;     // the last look's, and when
  SteadyTime told_at_;
  SteadyTime urgent_until_;
  std::optional<Error> last_error_;
  std::string token_;
  std::vector<std::string> missing_protections_;
  std::string pin_warning_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_SIGNERS_SIGNER_POOL_H_
