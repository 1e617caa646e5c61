// FairQueue: one queue for each station, served in turns, so that a lot of thousands does not make
// a single request of another station wait behind it.
//
// Items of one flow keep their order. What is put back goes before everything else: it had its
// turn.
//
// Threads  one at a time
// Source   round-robin fair queuing, RFC 970 section "Fairness in packet switching systems"
#ifndef LINESIGN_APPLIANCE_SIGNERS_FAIR_QUEUE_H_
#define LINESIGN_APPLIANCE_SIGNERS_FAIR_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <utility>

namespace linesign {

template <typename T>
class FairQueue final {
 public:
  using Flow = int64_t;

  void push(Flow flow, T item) {
    std::deque<T>& queue = flows_[flow];
    if (queue.empty()) turns_.push_back(flow);
    queue.push_back(std::move(item));
    ++size_;
  }

  void put_back(T item) {
    returned_.push_front(std::move(item));
    ++size_;
  }

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }

  // What pop() will return. REQUIRES: !empty()
  const T& next() const {
    return returned_.empty() ? flows_.at(turns_.front()).front() : returned_.front();
  }

  // REQUIRES: !empty()
  T pop() {
    --size_;
    if (!returned_.empty()) {
      T item = std::move(returned_.front());
      returned_.pop_front();
      return item;
    }
    const auto flow = flows_.find(turns_.front());
    turns_.pop_front();
    T item = std::move(flow->second.front());
    flow->second.pop_front();
    if (flow->second.empty()) {
      flows_.erase(flow);
    } else {
      turns_.push_back(flow->first);
    }
    return item;
  }

  // What is left keeps its order and its turns.
  template <typename Predicate>
  void remove_if(Predicate predicate) {
    const auto prune = [&](std::deque<T>& queue) { size_ -= std::erase_if(queue, predicate); };
    prune(returned_);
    for (auto& [flow, queue] : flows_) prune(queue);
    std::erase_if(flows_, [](const auto& each) { return each.second.empty(); });
    std::erase_if(turns_, [this](Flow flow) { return flows_.count(flow) == 0; });
  }

  void clear() {
    flows_.clear();
    turns_.clear();
    returned_.clear();
    size_ = 0;
  }

 private:
  std::unordered_map<Flow, std::deque<T>> flows_;  // none is empty
  std::deque<Flow> turns_;                         // each key of flows_ once
  std::deque<T> returned_;
  size_t size_ = 0;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_SIGNERS_FAIR_QUEUE_H_
