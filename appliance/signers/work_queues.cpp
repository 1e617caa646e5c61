#include "appliance/signers/work_queues.h"

#include <algorithm>
#include <utility>

namespace linesign {
namespace {

constexpr int kFailuresBeforeDelay = 3;
constexpr std::chrono::milliseconds kFirstJobDelay(1000);
constexpr int kMaxDelayDoublings = 6;

size_t bytes_of(const CheckJob& job) { return job.request->csr.size() + kMaxDeviceIdBytes * 2; }
size_t bytes_of(const SignJob& job) {
  return (job.check_id == 0 ? job.intent->csr().size() : 0) + kMaxDeviceIdBytes * 2;
}

// A part for each of those who could take some, so that a small queue does not wait behind one.
size_t share_of(size_t waiting, size_t takers, size_t limit) {
  return std::min((waiting + takers - 1) / std::max<size_t>(takers, 1), limit);
}

bool is_unwanted(const CheckJob& job) { return job.request->is_unwanted; }

template <typename Job>
bool is_suspect(const FairQueue<Job>& queue) {
  return !queue.empty() && queue.next().failures > 0;
}

// Moves up to `count` jobs until the batch has its bytes.
template <typename Job>
void move_jobs(FairQueue<Job>& from, size_t count, size_t& bytes, std::vector<Job>& to) {
  for (; count > 0 && !from.empty() && !is_suspect(from); --count) {
    const size_t more = bytes_of(from.next());
    if (bytes > 0 && bytes + more > kMaxBatchBytes) return;
    bytes += more;
    to.push_back(from.pop());
  }
}

template <typename Job>
void put_all_back(std::vector<Job> jobs, FairQueue<Job>& to) {
  std::for_each(jobs.rbegin(), jobs.rend(), [&](Job& job) { to.put_back(std::move(job)); });
}

}  // namespace

void WorkQueues::add(CheckJob job) {
  const int64_t station_id = job.request->station_id;
  checks_.push(station_id, std::move(job));
}

void WorkQueues::add(SignJob job) {
  const int64_t station_id = job.station_id;
  job.check_id = 0;
  common_.push(station_id, std::move(job));
}

void WorkQueues::add_checked(size_t signer, SignJob job) {
  const int64_t station_id = job.station_id;
  own_[signer].push(station_id, std::move(job));
}

size_t WorkQueues::size() const {
  size_t size = checks_.size() + common_.size() + delayed_.size();
  for (const auto& queue : own_) size += queue.size();
  return size;
}

SignerBatch WorkQueues::take(size_t signer, const BatchLimits& limits) {
  SignerBatch batch;
  // What may be poison travels alone.
  if (is_suspect(common_)) {
    batch.signs.push_back(common_.pop());
    return batch;
  }
  if (is_suspect(checks_)) {
    batch.checks.push_back(checks_.pop());
    return batch;
  }
  size_t bytes = 0;
  auto& own = own_[signer];
  move_jobs(common_, share_of(common_.size(), limits.lanes, limits.signs), bytes, batch.signs);
  const size_t left = limits.signs - batch.signs.size();
  move_jobs(own, share_of(own.size(), limits.threads, left), bytes, batch.signs);
  move_jobs(checks_, share_of(checks_.size(), limits.lanes, limits.checks), bytes, batch.checks);
  return batch;
}

void WorkQueues::put_back(size_t signer, SignerBatch batch) {
  put_all_back(std::move(batch.checks), checks_);
  std::for_each(batch.signs.rbegin(), batch.signs.rend(), [&](SignJob& job) {
    (job.check_id == 0 ? common_ : own_[signer]).put_back(std::move(job));
  });
}

void WorkQueues::share_one(size_t signer) { add(own_[signer].pop()); }

std::vector<CheckJob> WorkQueues::take_back(size_t signer, SignerBatch unfinished) {
  auto& own = own_[signer];
  while (!own.empty()) share_one(signer);
  std::for_each(unfinished.signs.rbegin(), unfinished.signs.rend(), [this](SignJob& job) {
    retry(std::move(job));
  });
  std::erase_if(unfinished.checks, is_unwanted);
  const auto kept = std::stable_partition(
      unfinished.checks.begin(), unfinished.checks.end(), [](const CheckJob& job) {
        return job.failures >= kFailuresBeforeDelay;
      });
  std::vector<CheckJob> given_up(std::make_move_iterator(unfinished.checks.begin()),
                                 std::make_move_iterator(kept));
  unfinished.checks.erase(unfinished.checks.begin(), kept);
  put_all_back(std::move(unfinished.checks), checks_);
  return given_up;
}

void WorkQueues::retry(SignJob job) {
  job.check_id = 0;
  if (job.failures < kFailuresBeforeDelay) {
    common_.put_back(std::move(job));
    return;
  }
  const int doublings = std::min(job.failures - kFailuresBeforeDelay, kMaxDelayDoublings);
  delayed_.push_back({clock_.steady() + kFirstJobDelay * (1 << doublings), std::move(job)});
}

void WorkQueues::release_delayed() {
  const SteadyTime now = clock_.steady();
  const auto due = std::stable_partition(
      delayed_.begin(), delayed_.end(), [&](const Delayed& each) { return each.due > now; });
  for (auto each = due; each != delayed_.end(); ++each) add(std::move(each->job));
  delayed_.erase(due, delayed_.end());
}

void WorkQueues::drop_unwanted() { checks_.remove_if(is_unwanted); }

void WorkQueues::clear() {
  checks_.clear();
  common_.clear();
  for (auto& queue : own_) queue.clear();
  delayed_.clear();
}

}  // namespace linesign
