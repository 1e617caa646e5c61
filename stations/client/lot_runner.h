// LotRunner: gets certificates for a whole lot: keeps the window full, takes answers in any order,
// waits where the appliance asks for it, and comes back after a lost connection with the same
// requests. Run again after any interruption, it goes on where it was.
//
// States of a device   ready -> in flight -> arrived -> written
//                                 |  ^-- waiting (TryLater; connection lost)
//                                 '--> fetch (the device is certified already) -> arrived
// Limits    memory does not grow with the lot: a window in flight, a window waiting, and the queues
//           of LotWorkers
// Errors    in LotResult::stopped_by, when the run ended before the lot did
// Threads   run() uses the calling thread for the network
#ifndef LINESIGN_STATIONS_CLIENT_LOT_RUNNER_H_
#define LINESIGN_STATIONS_CLIENT_LOT_RUNNER_H_

#include <chrono>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "stations/client/backoff.h"
#include "stations/client/lot_folder.h"
#include "stations/client/lot_item.h"
#include "stations/client/lot_source.h"
#include "stations/client/lot_workers.h"
#include "stations/client/station_client.h"

namespace linesign::client {

struct LotOptions {
  ClientOptions client;  // its cancel_descriptor stops the run
  uint32_t window = 0;   // at most so many in flight; 0: as many as the appliance allows
  unsigned threads = 0;  // beside the network loop; 0: one less than there are processors
  // Without any answer but "later" for so long, the run gives up.
  std::chrono::milliseconds give_up = std::chrono::minutes(10);
};

struct RefusalGroup {
  uint64_t count = 0;
  LotOutcome example;
};

struct LotResult {
  LotProgress progress;
  std::map<ErrorCode, RefusalGroup> refusals;
  std::vector<LotOutcome> not_stored;  // the first 100
  std::optional<Error> stopped_by;
  bool gave_up = false;  // stopped_by is what it waited for
  std::chrono::duration<double> elapsed{0};

  int exit_code() const;  // sysexits.h
};

// What the person at the station sees. Called on the thread of run().
class LotObserver {
 public:
  LotObserver() = default;
  LotObserver(const LotObserver&) = delete;
  LotObserver& operator=(const LotObserver&) = delete;
  virtual ~LotObserver() = default;

  virtual void on_progress(const LotProgress& progress) = 0;  // several times a second
  virtual void on_refused(const LotOutcome& outcome) = 0;     // and what could not be stored
  virtual void on_note(const std::string& sentence) = 0;      // "connection lost: ..."
};

class LotRunner final {
 public:
  // Everything given must outlive the runner.
  LotRunner(const StationCredential& credential,
            const LotSource& source,
            const LotFolder& out,
            LotOptions options,
            LotObserver& observer)
      : credential_(credential),
        source_(source),
        out_(out),
        options_(std::move(options)),
        observer_(observer) {}

  LotResult run();

 private:
  struct Request {
    LotItem item;
    std::optional<Error> refusal;  // set: this is a fetch, made because of it
  };
  struct Waiting {
    SteadyTime due;
    uint64_t order;  // first come, first served among equals
    Request request;
  };
  struct IsLater {
    bool operator()(const Waiting& a, const Waiting& b) const {
      return a.due != b.due ? a.due > b.due : a.order > b.order;
    }
  };
  struct HashRequestId {
    size_t operator()(const RequestId& id) const;
  };

  void step();
  void connect();
  Result<void> talk();
  void lose_connection(Error error);
  size_t window() const;
  Result<void> fill_window();
  std::optional<Request> next_request();
  bool may_start_new() const;
  Result<void> send(Request request);
  void take_reply(IssueReply reply);
  void take_refusal(Request request, const ApplianceFailure& failure);
  void wait_with(Request request, std::chrono::milliseconds delay);
  void collect();
  void record(LotOutcome outcome);
  bool is_finished() const;
  void check_patience();
  void stop(Error error);
  void wait();

  const StationCredential& credential_;
  const LotSource& source_;
  const LotFolder& out_;
  const LotOptions options_;
  LotObserver& observer_;

  LotResult result_;
  std::unique_ptr<StationClient> client_;
  bool is_connected_ = false;
  std::shared_ptr<const Issuers> issuers_;
  std::unique_ptr<LotWorkers> workers_;
  std::unordered_map<RequestId, Request, HashRequestId> in_flight_;
  std::priority_queue<Waiting, std::vector<Waiting>, IsLater> waiting_;
  uint64_t waiting_order_ = 0;
  Backoff backoff_;
  SteadyTime connect_at_{};
  SteadyTime last_progress_{};
  Error last_trouble_{ErrorCode::Unavailable};
  std::optional<Error> halted_by_;  // no new requests; what is under way is finished
  bool is_stopped_ = false;
};

}  // namespace linesign::client

#endif  // LINESIGN_STATIONS_CLIENT_LOT_RUNNER_H_
