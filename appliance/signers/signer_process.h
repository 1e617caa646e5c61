// SignerProcess: one linesign-signer child: its socket, its pid, and the batches that it has.
//
// A start goes through the phases of SignerPhase; the child tries the PIN only after allow_login().
// A batch is one packet of at most kMaxBatchItems checks and as many intents. The child answers in
// smaller groups. When this object goes, the child is told to leave, then killed, and its end is
// reported by the SignerHost; what it had is the owner's to redo.
//
// Errors   spawn: those of SignerHost. A child that sends what it must not: SignerProtocol
// Threads  the event loop's thread only
// Source   protocol/signer.proto
#ifndef LINESIGN_APPLIANCE_SIGNERS_SIGNER_PROCESS_H_
#define LINESIGN_APPLIANCE_SIGNERS_SIGNER_PROCESS_H_

#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "appliance/signers/work_queues.h"
#include "hsm/signer/launcher.h"
#include "protocol/base/clock.h"
#include "protocol/base/unique_fd.h"
#include "protocol/event/event_loop.h"
#include "protocol/signer.pb.h"

namespace linesign {

constexpr size_t kMaxBatchItems = 8;
constexpr size_t kMaxSignerMessageBytes = 256 * 1024;

enum class SignerPhase : uint8_t {
  Starting,    // loads the module and finds the token
  Prepared,    // waits until it may log in
  LoggingIn,   // the one moment in which it tries the PIN
  LoggedIn,    // finds and proves the key
  Ready,       // signs
  PinRefused,  // watches the PIN file, and does nothing else
  NewPin       // the PIN file holds another PIN; it is leaving
};

const char* to_string(SignerPhase phase);

// "ended by signal 9"; `status` as of waitpid(2).
std::string describe_exit(int status);

class SignerProcess final {
 public:
  // Called on the loop; `self` may be destroyed inside on_ended only.
  struct Events {
    // Prepared, LoggedIn or NewPin.
    std::function<void(SignerProcess& self)> on_phase;
    std::function<void(SignerProcess& self, const signer::v1::Ready& ready)> on_ready;
    // It waits for another PIN; with SignerTimeout, until the same one is tried again.
    std::function<void(SignerProcess& self, Error reason)> on_pin_refused;
    std::function<void(SignerProcess& self, CheckJob job, const signer::v1::CheckResult& result)>
        on_checked;
    std::function<void(SignerProcess& self, SignJob job, const signer::v1::SignResult& result)>
        on_result;
    // A packet of results is done: room for more.
    std::function<void(SignerProcess& self)> on_progress;
    // The socket closed or the child said that it cannot go on. Once.
    std::function<void(SignerProcess& self, Error reason)> on_ended;
  };

  static Result<std::unique_ptr<SignerProcess>> spawn(
      EventLoop& loop, const Clock& clock, SignerHost& host, int threads, Events events);
  SignerProcess(const SignerProcess&) = delete;
  SignerProcess& operator=(const SignerProcess&) = delete;
  ~SignerProcess();

  uint64_t id() const { return id_; }
  int pid() const { return pid_; }                   // 0 until the launcher says it
  bool has_stopped() const { return has_stopped_; }  // nobody told it to
  const std::optional<int>& exit_status() const { return exit_status_; }
  void set_pid(int pid) { pid_ = pid; }
  // The process is gone; what it said before may still be in the socket.
  void set_exit_status(int status) { exit_status_ = status; }
  SignerPhase phase() const { return phase_; }
  SteadyTime phase_since() const { return phase_since_; }
  bool is_ready() const { return phase_ == SignerPhase::Ready && !ended_; }
  // The PIN is right: it has logged in.
  bool is_logged_in() const { return (phase_ == SignerPhase::LoggedIn && !ended_) || is_ready(); }
  uint64_t signatures() const { return signatures_; }

  // REQUIRES: phase() is Prepared. A broken socket is noticed by the end of the process.
  void allow_login();

  // How many more batches keep it busy: two for each of its threads.
  size_t free_batches() const;
  bool is_idle() const { return batches_.empty(); }
  // REQUIRES: is_ready(), free_batches() > 0, a batch that is not empty. False: the socket is full
  // or broken and the batch stays the caller's.
  bool send(SignerBatch& batch);

  // Closes its socket; no event comes any more. The destructor will wait for its end as ever.
  void tell_to_leave();

  // The destructor will kill without waiting: for a child that does not answer.
  void kill_now();

  // Since when the slowest running batch has made no progress; nothing when idle.
  std::optional<SteadyTime> oldest_progress() const;

  // What has no result, in the order in which it was sent. The first of each running batch comes
  // with one more failure: it may be what ended the child.
  SignerBatch take_unfinished(bool blame);

 private:
  struct Batch {
    SignerBatch work;  // without a result
    SteadyTime progress_at;
    bool is_done() const { return work.checks.empty() && work.signs.empty(); }
  };

  SignerProcess(
      const Clock& clock, SignerHost& host, int threads, Events events, SignerChild child);
  void watch(EventLoop& loop);
  void receive();
  void handle(const signer::v1::FromSigner& message);
  bool handle_check(const signer::v1::CheckResult& result);
  bool handle_result(const signer::v1::SignResult& result);
  void handle_failure(const signer::v1::Failed& failed);
  void handle_phase(signer::v1::Phase phase);
  void enter(SignerPhase phase);
  void start_clocks();
  void end(Error reason);

  const Clock& clock_;
  SignerHost& host_;
  size_t threads_;
  Events events_;
  uint64_t id_;
  UniqueFd socket_;
  int pid_ = 0;
  std::optional<int> exit_status_;
  SignerPhase phase_ = SignerPhase::Starting;
  SteadyTime phase_since_;
  bool ended_ = false;
  bool has_stopped_ = false;
  uint64_t signatures_ = 0;
  std::deque<Batch> batches_;  // the first threads_ of them are running
  std::unique_ptr<Watch> watch_;
  std::vector<char> buffer_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_SIGNERS_SIGNER_PROCESS_H_
