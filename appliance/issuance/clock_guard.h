// ClockGuard: gives each new certificate its time, and only a time that can be trusted.
//
// Not trusted: before the day of the build or the CA certificate; before the newest intent by more
// than max_step; ahead of it by more than max_ahead; a step of more than max_step within an hour,
// in either direction, against the clock that counts since boot (slewing moves both alike). Whoever
// asks is told so, and in the same moment Health stops production. It resumes automatically when
// the clock is right again; else an operator confirms the clock. Both are kept in the ledger, so
// that a restart forgets neither.
//
// Errors   ClockInDoubt, ClockUnconfirmed, CaExpired
// Threads  the event loop's thread only
#ifndef LINESIGN_APPLIANCE_ISSUANCE_CLOCK_GUARD_H_
#define LINESIGN_APPLIANCE_ISSUANCE_CLOCK_GUARD_H_

#include <chrono>
#include <functional>
#include <optional>

#include "appliance/issuance/health.h"
#include "appliance/records/clock_event.h"
#include "hsm/x509/ca_certificate.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"

namespace linesign {

struct ClockLimits {
  std::chrono::seconds max_step = std::chrono::minutes(2);
  std::chrono::seconds max_ahead = std::chrono::days(30);
};

class ClockGuard final {
 public:
  // What is known at the start.
  struct Known {
    UnixTime built_on;
    LedgerTime ledger;
  };
  // Writes an event to the ledger and calls `done` when it is durable, or not.
  using Save =
      std::function<void(const ClockEvent& event, std::function<void(const Result<void>&)> done)>;

  ClockGuard(const Clock& clock,
             Health& health,
             CaCertificate ca,
             ClockLimits limits,
             const Known& known,
             Save save);
  ClockGuard(const ClockGuard&) = delete;
  ClockGuard& operator=(const ClockGuard&) = delete;
  ~ClockGuard() = default;

  // The time for a certificate that is made now. What it decides is told to Health as well.
  Result<UnixTime> now();

  // An operator says that the clock is right. `is_back` when it is before the newest time that is
  // known, because that one was wrong. InputInvalid if it is not as `is_back` says, or nobody
  // doubts the clock; ClockInDoubt for a time before the build or the CA certificate, which cannot
  // be right.
  void confirm(bool is_back, std::function<void(Result<ClockEvent>)> reply);

  const Clock& clock() const { return clock_; }

 private:
  // The clock's time less the time since boot.
  using Offset = std::chrono::milliseconds;

  Offset offset_at(UnixTime now) const;
  std::optional<Error> doubt(UnixTime now) const;
  std::optional<Error> doubt_about_step(UnixTime now) const;
  std::optional<Error> refusal(UnixTime now, bool is_back) const;  // to confirm it
  bool is_behind(UnixTime now) const { return now + limits_.max_step < newest_; }
  bool is_ahead(UnixTime now) const { return now > newest_ + limits_.max_step; }
  void keep_doubt(UnixTime now);
  void trust(UnixTime now);

  const Clock& clock_;
  Health& health_;
  const CaCertificate ca_;
  const ClockLimits limits_;
  const UnixTime built_on_;
  const Save save_;
  UnixTime newest_;                     // that was trusted
  std::optional<UnixTime> ahead_from_;  // doubted before the restart, and from there on
  std::optional<Offset> reference_;     // what steps are measured against
  SteadyTime reference_at_;
  bool is_doubted_ = false;
  std::optional<UnixTime> doubt_kept_;  // in the ledger: the clock's time of the last doubt
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ISSUANCE_CLOCK_GUARD_H_
