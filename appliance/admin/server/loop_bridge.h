// LoopBridge: carries a call from an HTTP thread to the event loop and its reply back.
//
// Ownership  pending calls are shared, so that a reply after the time-out or after close() touches
//            nothing that is gone
// Errors     AdminUnavailable when the reply does not come in time or the bridge is closed
// Threads    call() from any thread but the loop's; close() on the loop's thread, or when it does
//            not run
#ifndef LINESIGN_APPLIANCE_ADMIN_SERVER_LOOP_BRIDGE_H_
#define LINESIGN_APPLIANCE_ADMIN_SERVER_LOOP_BRIDGE_H_

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "appliance/admin/api/admin_service.h"
#include "protocol/base/result.h"
#include "protocol/event/event_loop.h"

namespace linesign {

class LoopBridge final {
 public:
  LoopBridge(EventLoop& loop, AdminService& service, std::chrono::milliseconds reply_timeout);
  LoopBridge(const LoopBridge&) = delete;
  LoopBridge& operator=(const LoopBridge&) = delete;
  ~LoopBridge() = default;

  template <typename T>
  using Reply = std::function<void(Result<T>)>;

  // Runs `start` on the loop's thread and waits until it has called its reply.
  template <typename T>
  Result<T> call(std::function<void(AdminService&, Reply<T>)> start) {
    const auto answer = std::make_shared<std::optional<Result<T>>>();
    if (is_closed()) return fail(closed_error());
    loop_.post([shared = shared_, answer, start = std::move(start)] {
      AdminService* service = shared->service_if_open();
      if (service == nullptr) return;
      start(*service, [shared, answer](Result<T> result) {
        const std::lock_guard lock(shared->mutex);
        if (!answer->has_value()) answer->emplace(std::move(result));
        shared->changed.notify_all();
      });
    });
    std::unique_lock lock(shared_->mutex);
    const bool is_done = shared_->changed.wait_for(
        lock, reply_timeout_, [&] { return answer->has_value() || shared_->service == nullptr; });
    std::optional<Result<T>>& arrived = *answer;
    if (arrived.has_value()) return std::move(*arrived);
    return fail(is_done ? closed_error() : timeout_error());
  }

  static Error closed_error();

  // From now on nothing reaches the service, and every waiting call returns.
  void close();

 private:
  struct Shared {
    // Only close() forgets the service, on the loop's thread: what the loop sees stays true while
    // it uses it.
    AdminService* service_if_open();
    std::mutex mutex;
    std::condition_variable changed;
    AdminService* service;  // guarded by mutex; null: closed
  };

  bool is_closed() const;
  Error timeout_error() const;

  EventLoop& loop_;
  std::chrono::milliseconds reply_timeout_;
  std::shared_ptr<Shared> shared_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ADMIN_SERVER_LOOP_BRIDGE_H_
