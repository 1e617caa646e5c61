// LoneStation: a station that asks for one certificate now and then, on a thread of its own, so
// that what it sees of the appliance is not mixed up with the work of the stations beside it.
//
// It keeps to its times even when an answer takes longer than the time between two requests: a slow
// answer does not hide behind the requests that were not sent because of it.
//
// Errors   of a connection: it ends, and counts as refused
// Threads  run() until stop() is called from another thread
#ifndef LINESIGN_APPLIANCE_BENCH_LONE_STATION_H_
#define LINESIGN_APPLIANCE_BENCH_LONE_STATION_H_

#include <chrono>
#include <map>
#include <memory>
#include <span>
#include <thread>

#include "appliance/bench/load_result.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "protocol/base/unique_fd.h"
#include "stations/client/station_client.h"

namespace linesign::bench {

struct LoneSettings {
  std::chrono::milliseconds interval = std::chrono::seconds(1);
  std::span<const IssueRequest> requests;  // it ends when there is none left
};

class LoneStation final {
 public:
  static Result<std::unique_ptr<LoneStation>> connect(const StationCredential& credential,
                                                      const LoneSettings& settings);
  LoneStation(const LoneStation&) = delete;
  LoneStation& operator=(const LoneStation&) = delete;
  ~LoneStation();

  void start();
  // Requests that have no answer yet are forgotten.
  LoneResult stop();

 private:
  struct Pending {
    const IssueRequest* request = nullptr;
    SteadyTime first_sent{};
  };

  explicit LoneStation(const LoneSettings& settings, UniqueFd stop)
      : settings_(settings), stop_(std::move(stop)) {}
  void run();
  Result<void> send_what_is_due();
  Result<void> take_answers();
  void take(const IssueReply& reply);
  SteadyTime next_due() const;
  bool wait() const;  // false: stop() was called

  LoneSettings settings_;
  UniqueFd stop_;  // eventfd
  std::unique_ptr<StationClient> client_;
  size_t next_request_ = 0;
  SteadyTime next_at_{};
  std::map<RequestId, Pending> in_flight_;
  std::multimap<SteadyTime, Pending> later_;
  LatencyRecorder latency_;
  LoneResult result_;
  std::thread thread_;
};

}  // namespace linesign::bench

#endif  // LINESIGN_APPLIANCE_BENCH_LONE_STATION_H_
