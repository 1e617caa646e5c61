// Health: does the appliance produce, since when, and if not, why not. The one place that knows.
//
// Threads  the event loop's thread only
#ifndef LINESIGN_APPLIANCE_ISSUANCE_HEALTH_H_
#define LINESIGN_APPLIANCE_ISSUANCE_HEALTH_H_

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "protocol/base/clock.h"
#include "protocol/base/error.h"

namespace linesign {

// What can stop production. Each is set and cleared by the part that watches it.
enum class Cause : uint8_t { Ledger, LedgerRecord, Signers, Disk, Clock, Ca, Recovery, Draining };
constexpr size_t kCauseCount = 8;

struct HealthObstacle {
  Cause cause;
  Error error;
  UnixTime since;
};

class Health final {
 public:
  // `on_change` is told each time an obstacle comes (the error) or goes (nothing).
  using OnChange = std::function<void(Cause cause, const std::optional<Error>& error)>;
  Health(const Clock& clock, OnChange on_change);

  void set(Cause cause, const Error& error);
  void clear(Cause cause);

  bool is_producing() const { return obstacles_count_ == 0; }
  // Of the present producing, or not producing.
  UnixTime since() const { return since_; }
  // The first one in the order of Cause. REQUIRES: !is_producing()
  const Error& reason() const;
  std::vector<HealthObstacle> obstacles() const;

 private:
  const Clock& clock_;
  OnChange on_change_;
  std::array<std::optional<HealthObstacle>, kCauseCount> obstacles_;
  size_t obstacles_count_ = 0;
  UnixTime since_;
};

const char* to_string(Cause cause);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ISSUANCE_HEALTH_H_
