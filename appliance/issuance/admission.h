// Admission: who may bring a request in, and when the others are to come again.
//
// There are so many places. When all are taken, a station that has less than its share of them (an
// equal part for each station that wants some) still gets one, so a lot does not shut out a single
// request.
//
// Who is turned away is told the time in which those who were told before will have had their turn.
// A request that comes then gets in, unless there are twice as many in flight as places or it was
// told the longest time; one that comes sooner hears the rest of its time, so hammering gains
// nothing.
//
// Limits   30 s is the longest time that is told; who does not come is waited for half as long.
//          What is remembered of those who were told is what can be signed in 30 s
// Threads  the event loop's thread only
// Source   max-min fairness: Bertsekas and Gallager, "Data Networks", section 6.5.2
#ifndef LINESIGN_APPLIANCE_ISSUANCE_ADMISSION_H_
#define LINESIGN_APPLIANCE_ISSUANCE_ADMISSION_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "protocol/base/clock.h"
#include "protocol/base/ids.h"

namespace linesign {

class Admission final {
 public:
  Admission(const Clock& clock, uint32_t places);

  // Takes a place for a request of this station; or, if there is none, the time to come again.
  std::optional<std::chrono::milliseconds> enter(int64_t station_id, const RequestId& request_id);
  // Gives a place back. The certificate was issued: that tells how fast places come free.
  void leave(int64_t station_id, bool is_issued);
  void leave_all();

  // The places that this station has.
  uint32_t places_of(int64_t station_id) const;
  // It wants few, while stations that have many have most of them.
  bool is_one_of_few(int64_t station_id) const;
  uint64_t turned_away() const { return turned_away_; }

 private:
  struct RequestIdHash {
    size_t operator()(const RequestId& id) const;
  };
  // Of one that has any: not both are zero.
  struct Station {
    uint32_t places = 0;
    uint32_t returning = 0;  // requests that were told to come again
  };
  using MissedTimes = std::multimap<SteadyTime, RequestId>;
  struct Told {
    SteadyTime not_before;
    MissedTimes::iterator missed;
    int64_t station_id = 0;
  };

  using ToldRequests = std::unordered_map<RequestId, Told, RequestIdHash>;

  bool has_place() const { return taken_ < places_; }
  bool has_share_left(int64_t station_id) const;
  uint32_t returning_of(int64_t station_id) const;
  std::optional<std::chrono::milliseconds> turn_away(int64_t station_id,
                                                     const RequestId& request_id,
                                                     SteadyTime now);
  void set_places(int64_t station_id, uint32_t places);
  void forget(ToldRequests::iterator told);
  void forget_all_told();
  std::chrono::milliseconds time_to_return() const;
  void forget_missed(SteadyTime now);
  void start_measuring(SteadyTime now);
  void measure_rate(SteadyTime now);

  const Clock& clock_;
  const uint32_t places_;
  uint32_t taken_ = 0;
  uint32_t taken_by_many_ = 0;  // of them, by stations that have more than a few
  std::unordered_map<int64_t, Station> stations_;
  uint64_t turned_away_ = 0;
  uint64_t issued_ = 0;

  bool is_full_ = false;  // was, and since then never half empty
  SteadyTime rate_since_;
  uint64_t rate_base_ = 0;
  double rate_per_second_ = 5000;  // a guess until it was full once
  bool is_rate_known_ = false;
  ToldRequests told_;   // that have not come again
  MissedTimes missed_;  // each of told_ is in it once: when it is no longer waited for
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ISSUANCE_ADMISSION_H_
