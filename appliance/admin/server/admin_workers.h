// AdminWorkers: the threads that make answers: each waits for the event loop, and reads and writes
// JSON, which may be long. They stand in lanes, so that who waits in one does not hold up another.
//
// Ownership  work that has not begun when this is destroyed is never run
// Threads    run() from any
#ifndef LINESIGN_APPLIANCE_ADMIN_SERVER_ADMIN_WORKERS_H_
#define LINESIGN_APPLIANCE_ADMIN_SERVER_ADMIN_WORKERS_H_

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace linesign {

enum class Lane : uint8_t {
  Normal,
  Urgent,  // a thread of its own, and those of Normal too
  Cloud,   // threads of its own: what may make the ledger count or move many rows
};

class AdminWorkers final {
 public:
  // And one more thread for what is urgent.
  AdminWorkers(int normal_threads, int cloud_threads);
  AdminWorkers(const AdminWorkers&) = delete;
  AdminWorkers& operator=(const AdminWorkers&) = delete;
  // Waits for the work that has begun.
  ~AdminWorkers();

  void run(std::function<void()> work, Lane lane);

 private:
  using Queue = std::deque<std::function<void()>>;

  // Of these two the first goes first.
  void serve(Lane first, Lane second);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::array<Queue, 3> queues_;  // by lane; guarded by mutex_
  bool is_closed_ = false;       // guarded by mutex_
  std::vector<std::jthread> threads_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ADMIN_SERVER_ADMIN_WORKERS_H_
