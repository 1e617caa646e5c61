// WorkQueues: what waits for signers: checks, intents that any signer may sign, and for each signer
// the intents that it has checked and remembers.
//
// Stations have their turns in each queue. A piece of work over which signers died travels alone,
// and later and later; a check is given up after three of them, an intent never. A check that
// nobody wants any more takes nobody's turn.
//
// Threads  one at a time
#ifndef LINESIGN_APPLIANCE_SIGNERS_WORK_QUEUES_H_
#define LINESIGN_APPLIANCE_SIGNERS_WORK_QUEUES_H_

#include <memory>
#include <vector>

#include "appliance/ledger/ledger.h"
#include "appliance/signers/check_request.h"
#include "appliance/signers/fair_queue.h"
#include "protocol/base/clock.h"

namespace linesign {

// The CSRs of one batch: it fits the default socket buffer.
constexpr size_t kMaxBatchBytes = 96 * 1024;

// One request on its way through the pool, before it is an intent.
struct CheckJob {
  std::shared_ptr<const CheckRequest> request;
  int failures = 0;  // signers that died over it
};

// One intent on its way through the pool.
struct SignJob {
  std::shared_ptr<const RecordedIntent> intent;
  Sha256 tbs_hash{};
  int64_t station_id = 0;
  int failures = 0;       // signers that died over it, or signatures that failed
  uint64_t check_id = 0;  // what its signer remembers it by; 0: it goes out whole
};

// One packet: a signer does its checks first.
struct SignerBatch {
  std::vector<CheckJob> checks;
  std::vector<SignJob> signs;
};

// How much of what waits goes into one batch.
struct BatchLimits {
  size_t checks = 1;
  size_t signs = 1;
  size_t threads = 1;  // of the signer
  size_t lanes = 1;    // threads of all signers
};

class WorkQueues final {
 public:
  WorkQueues(const Clock& clock, size_t signers) : clock_(clock), own_(signers) {}

  void add(CheckJob job);
  void add(SignJob job);
  // REQUIRES: this signer remembers job.check_id.
  void add_checked(size_t signer, SignJob job);

  bool has_common() const { return !checks_.empty() || !common_.empty(); }
  bool has_work_for(size_t signer) const { return has_common() || !own_[signer].empty(); }
  bool has_own(size_t signer) const { return !own_[signer].empty(); }
  size_t size() const;

  // REQUIRES: has_work_for(signer).
  SignerBatch take(size_t signer, const BatchLimits& limits);
  // It was not sent.
  void put_back(size_t signer, SignerBatch batch);

  // One of the intents that wait for this signer may be signed by any. REQUIRES: has_own(signer)
  void share_one(size_t signer);
  // This signer is gone, with what it remembered. Returns the checks that are given up.
  std::vector<CheckJob> take_back(size_t signer, SignerBatch unfinished);
  // Again, by any signer: at once, or later if it has failed several times.
  void retry(SignJob job);
  void release_delayed();
  // Checks that are unwanted go.
  void drop_unwanted();
  void clear();

 private:
  struct Delayed {
    SteadyTime due;
    SignJob job;
  };

  const Clock& clock_;
  FairQueue<CheckJob> checks_;
  FairQueue<SignJob> common_;
  std::vector<FairQueue<SignJob>> own_;  // by signer
  std::vector<Delayed> delayed_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_SIGNERS_WORK_QUEUES_H_
