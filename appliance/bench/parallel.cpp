#include "appliance/bench/parallel.h"

#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace linesign::bench {
namespace {

class Work final {
 public:
  Work(size_t count, const Step& step) : count_(count), step_(step) {}

  void run(const std::function<void(size_t)>& on_progress) {
    for (;;) {
      const size_t number = next_.fetch_add(1);
      if (number >= count_ || is_failed_) return;
      auto result = step_(number);
      if (!result.has_value()) return keep(std::move(result).error());
      const size_t done = done_.fetch_add(1) + 1;
      if (on_progress) on_progress(done);
    }
  }

  Result<void> result() {
    std::optional<Error> first = std::move(first_error_);
    if (first) return fail(std::move(*first));
    return {};
  }

 private:
  void keep(Error error) {
    const std::lock_guard lock(mutex_);
    is_failed_ = true;
    if (!first_error_) first_error_ = std::move(error);
  }

  size_t count_;
  const Step& step_;
  std::atomic<size_t> next_{0};
  std::atomic<size_t> done_{0};
  std::atomic<bool> is_failed_{false};
  std::mutex mutex_;
  std::optional<Error> first_error_;  // guarded by mutex_ while threads run
};

}  // namespace

Result<void> for_each_in_parallel(size_t count,
                                  unsigned threads,
                                  const Step& step,
                                  const std::function<void(size_t done)>& on_progress) {
  Work work(count, step);
  {
    std::vector<std::jthread> others;
    for (unsigned i = 1; i < threads; ++i) others.emplace_back([&work] { work.run({}); });
    work.run(on_progress);
  }
  return work.result();
}

}  // namespace linesign::bench
