// AdminWorkers: the threads that make answers: each waits for the event loop, and reads and writes
// JSON, which may be long. One of them serves urgent work only.
//
// Ownership  work that has not begun when this is destroyed is never run
// Threads    run() from any
#ifndef LINESIGN_APPLIANCE_ADMIN_SERVER_ADMIN_WORKERS_H_
#define LINESIGN_APPLIANCE_ADMIN_SERVER_ADMIN_WORKERS_H_

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace linesign {

class AdminWorkers final {
 public:
  // And one more thread for what is urgent.
  explicit AdminWorkers(int threads);
  AdminWorkers(const AdminWorkers&) = delete;
  AdminWorkers& operator=(const AdminWorkers&) = delete;
  // Waits for the work that has begun.
  ~AdminWorkers();

  void run(std::function<void()> work, bool is_urgent);

 private:
  void serve(bool urgent_only);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> urgent_;  // guarded by mutex_
  std::deque<std::function<void()>> normal_;  // guarded by mutex_
  bool is_closed_ = false;                    // guarded by mutex_
  std::vector<std::jthread> threads_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ADMIN_SERVER_ADMIN_WORKERS_H_
