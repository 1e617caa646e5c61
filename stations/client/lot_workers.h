// LotWorkers: the threads beside the network loop: they prepare what is to be sent, and check and
// write what has come back. The loop itself never touches a disk or a key.
//
// Limits   kMaxReadyItems prepared items wait to be sent; the loop keeps the number of certificates
//          that wait to be written small by looking at pending()
// Threads  the public functions are for the thread of the loop; wake_descriptor() becomes readable
//          when ready items, outcomes or a failure have come
#ifndef LINESIGN_STATIONS_CLIENT_LOT_WORKERS_H_
#define LINESIGN_STATIONS_CLIENT_LOT_WORKERS_H_

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/base/unique_fd.h"
#include "stations/client/lot_folder.h"
#include "stations/client/lot_item.h"
#include "stations/client/lot_source.h"

namespace linesign::client {

// Who issues, as Welcome said; shared by everything that came over one connection.
struct Issuers {
  std::vector<Bytes> chain;
  std::string chain_pem;
};

struct ArrivedCertificate {
  LotItem item;
  Bytes certificate_der;
  std::shared_ptr<const Issuers> issuers;
  // The certificate existed before; if it is for another key, this is the answer.
  std::optional<Error> refusal_if_other;
};

class LotWorkers final {
 public:
  static constexpr size_t kMaxReadyItems = 2048;
  static constexpr size_t kMaxBatch = 256;

  static Result<std::unique_ptr<LotWorkers>> start(const LotSource& source,
                                                   const LotFolder& out,
                                                   unsigned threads);
  LotWorkers(const LotWorkers&) = delete;
  LotWorkers& operator=(const LotWorkers&) = delete;
  ~LotWorkers();  // finishes what was handed over with add()

  int wake_descriptor() const { return wake_.get(); }
  void clear_wake();

  std::optional<LotItem> take_ready();
  void add(ArrivedCertificate arrived);
  std::vector<LotOutcome> take_outcomes();

  size_t pending() const;                // certificates handed over, without an outcome yet
  bool is_source_empty() const;          // everything was prepared and taken
  std::optional<Error> failure() const;  // the run cannot go on

  void stop_preparing();
  // Waits until everything handed over has its outcome.
  void finish();

 private:
  struct Batch {
    uint64_t first;
    uint64_t count;
  };
  class Writer;

  LotWorkers(const LotSource& source, const LotFolder& out, UniqueFd wake)
      : source_(source), out_(out), wake_(std::move(wake)) {}
  void run();
  bool may_prepare() const;  // REQUIRES: mutex_ is held
  Batch claim();             // REQUIRES: mutex_ is held
  void prepare(LotPreparer& preparer, Batch batch);
  void give_up(Error error);
  void wake();

  const LotSource& source_;
  const LotFolder& out_;
  UniqueFd wake_;
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable idle_;
  std::deque<LotItem> ready_;
  std::deque<ArrivedCertificate> arrived_;
  std::vector<LotOutcome> outcomes_;
  std::optional<Error> failure_;
  uint64_t next_index_ = 0;
  uint64_t next_batch_ = 4;  // small at first, so that the first request leaves soon
  size_t preparing_ = 0;     // entries claimed and not yet in ready_ or outcomes_
  size_t writing_ = 0;
  bool may_prepare_ = true;
  bool is_stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace linesign::client

#endif  // LINESIGN_STATIONS_CLIENT_LOT_WORKERS_H_
