// LoadStation: one station of a load: keeps its window full, takes the answers, and sends again
// what is to come later, as linesign-station does; or at once, if it is one that hammers.
//
// Errors   of a connection: it connects again, with a pause, and sends again what was unanswered
// Threads  the event loop's thread, or before the loop runs
#ifndef LINESIGN_APPLIANCE_BENCH_LOAD_STATION_H_
#define LINESIGN_APPLIANCE_BENCH_LOAD_STATION_H_

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <span>
#include <unordered_map>
#include <vector>

#include "appliance/bench/load_result.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "protocol/event/event_loop.h"
#include "stations/client/backoff.h"
#include "stations/client/station_client.h"

namespace linesign::bench {

// What the stations of a load share.
struct LoadShared {
  LoadShared(EventLoop& its_loop, std::span<const IssueRequest> its_requests)
      : loop(its_loop), requests(its_requests) {}

  EventLoop& loop;
  std::span<const IssueRequest> requests;
  size_t next_request = 0;
  // Nothing new is sent any more; what is on its way is still waited for.
  bool is_ending = false;
  uint64_t certificates = 0;
  LatencyRecorder latency;
  AnswerCounts later;
  AnswerCounts refused;
  AnswerExamples examples;
  uint64_t reconnects = 0;
  std::function<void()> on_idle;  // a station has nothing more to do
};

struct LoadStationSettings {
  uint32_t window = 64;           // the appliance may allow less
  std::optional<uint64_t> quota;  // requests; absent: as long as there are any
  bool hammers = false;
  int cancel_descriptor = -1;
};

class LoadStation final {
 public:
  static Result<std::unique_ptr<LoadStation>> connect(const StationCredential& credential,
                                                      const LoadStationSettings& settings,
                                                      LoadShared& shared);
  LoadStation(const LoadStation&) = delete;
  LoadStation& operator=(const LoadStation&) = delete;
  ~LoadStation() = default;

  // Sends the first requests. Once.
  void start();
  // After LoadShared::is_ending was set.
  void end();

  bool is_idle() const { return is_idle_; }
  bool hammers() const { return settings_.hammers; }
  uint64_t certificates() const { return certificates_; }
  SteadyTime last_certificate() const { return last_certificate_; }

 private:
  struct Pending {
    const IssueRequest* request = nullptr;
    SteadyTime first_sent{};
  };
  struct Waiting {
    SteadyTime due;
    Pending pending;
    bool operator>(const Waiting& other) const { return due > other.due; }
  };
  struct HashRequestId {
    size_t operator()(const RequestId& id) const {
      size_t hash = 0;  // the id is a hash already
      std::memcpy(&hash, id.data(), sizeof hash);
      return hash;
    }
  };

  LoadStation(const LoadStationSettings& settings,
              LoadShared& shared,
              std::unique_ptr<StationClient> client);

  void watch();
  void turn();  // takes what came, sends what may go
  Result<void> talk();
  void take(IssueReply& reply, SteadyTime now);
  void count(AnswerCounts& counts, const ApplianceFailure& failure);
  void take_certificate(const Pending& pending, const Bytes& certificate, SteadyTime now);
  Result<void> fill_window(SteadyTime now);
  std::optional<Pending> next_pending(SteadyTime now);
  void lose_connection();
  void connect_again();
  void look_whether_idle();

  LoadStationSettings settings_;
  LoadShared& shared_;
  std::unique_ptr<StationClient> client_;
  std::unique_ptr<Watch> watch_;
  std::unique_ptr<Timer> timer_;
  client::Backoff backoff_;
  std::unordered_map<RequestId, Pending, HashRequestId> in_flight_;
  std::priority_queue<Waiting, std::vector<Waiting>, std::greater<>> waiting_;
  uint64_t taken_ = 0;
  uint64_t certificates_ = 0;
  SteadyTime last_certificate_{};
  bool is_connected_ = true;
  bool is_started_ = false;
  bool is_idle_ = false;
};

}  // namespace linesign::bench

#endif  // LINESIGN_APPLIANCE_BENCH_LOAD_STATION_H_
