// StationConduct: what each station's requests were refused for, and which station has to wait
// because of it.
//
// A station may send some CSRs that fail their checks. It may send more with time, and one more for
// each CSR that becomes a new intent: a good one that comes again and again earns nothing. One that
// has none left is not heard for a while, and longer each time, until it has been
// quiet or right for long enough to have all of them again.
//
// Limits   an entry for each station that was ever refused since start: stations are enrolled by
//          operators
// Threads  the event loop's thread only
// Source   token bucket, RFC 2697 section 3
#ifndef LINESIGN_APPLIANCE_ISSUANCE_STATION_CONDUCT_H_
#define LINESIGN_APPLIANCE_ISSUANCE_STATION_CONDUCT_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "protocol/base/clock.h"
#include "protocol/base/error.h"
#include "stations/listener/station_service.h"

namespace linesign {

class StationConduct final {
 public:
  // Borrowed.
  explicit StationConduct(const Clock& clock) : clock_(clock) {}

  // Present: how long this station is still not heard.
  std::optional<std::chrono::milliseconds> wait_of(int64_t station_id) const;
  uint64_t refused_of(int64_t station_id) const;

  // A request was refused for ever. Present: for this long the station is not heard from now on.
  std::optional<std::chrono::milliseconds> note_refusal(const StationIdentity& identity,
                                                        ErrorCode code);
  // A CSR has passed all checks, and a new intent is recorded for it.
  void note_new_intent(int64_t station_id);

  // The names of those that have to wait at present.
  std::vector<std::string> throttled() const;

 private:
  struct Station {
    std::string name;
    double allowed = 0;  // bad CSRs
    SteadyTime counted_at;
    SteadyTime not_before;
    std::chrono::milliseconds last_wait{0};
    uint64_t refused = 0;
  };

  Station& station_of(const StationIdentity& identity);

  const Clock& clock_;
  std::unordered_map<int64_t, Station> stations_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ISSUANCE_STATION_CONDUCT_H_
