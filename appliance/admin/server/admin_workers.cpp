#include "appliance/admin/server/admin_workers.h"

#include <utility>

namespace linesign {

AdminWorkers::AdminWorkers(int threads) {
  threads_.emplace_back([this] { serve(true); });
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { serve(false); });
}

AdminWorkers::~AdminWorkers() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  changed_.notify_all();
}  // and then the threads join

void AdminWorkers::run(std::function<void()> work, bool is_urgent) {
  const std::lock_guard lock(mutex_);
  (is_urgent ? urgent_ : normal_).push_back(std::move(work));
  changed_.notify_all();
}

void AdminWorkers::serve(bool urgent_only) {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(
        lock, [&] { return is_closed_ || !urgent_.empty() || (!urgent_only && !normal_.empty()); });
    if (is_closed_) return;
    auto& queue = urgent_.empty() ? normal_ : urgent_;
    const auto work = std::move(queue.front());
    queue.pop_front();
    lock.unlock();
    work();
    lock.lock();
  }
}

}  // namespace linesign
