#include "appliance/admin/server/admin_workers.h"

#include <utility>

namespace linesign {

AdminWorkers::AdminWorkers(int normal_threads, int cloud_threads) {
  threads_.emplace_back([this] { serve(Lane::Urgent, Lane::Urgent); });
  for (int i = 0; i < normal_threads; ++i)
    threads_.emplace_back([this] { serve(Lane::Urgent, Lane::Normal); });
  for (int i = 0; i < cloud_threads; ++i)
    threads_.emplace_back([this] { serve(Lane::Cloud, Lane::Cloud); });
}

AdminWorkers::~AdminWorkers() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  changed_.notify_all();
}  // and then the threads join

void AdminWorkers::run(std::function<void()> work, Lane lane) {
  const std::lock_guard lock(mutex_);
  queues_.at(static_cast<size_t>(lane)).push_back(std::move(work));
  changed_.notify_all();
}

void AdminWorkers::serve(Lane first, Lane second) {
  Queue& sooner = queues_.at(static_cast<size_t>(first));
  Queue& later = queues_.at(static_cast<size_t>(second));
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return is_closed_ || !sooner.empty() || !later.empty(); });
    if (is_closed_) return;
    Queue& queue = sooner.empty() ? later : sooner;
    const auto work = std::move(queue.front());
    queue.pop_front();
    lock.unlock();
    work();
    lock.lock();
  }
}

}  // namespace linesign
