// LoopThread: an event loop and the thread that runs it, from here to the end of the scope. Nothing
// can be left unjoined: there is no moment at which it has one of the two without the other.
//
// Ownership  what lives on the loop is destroyed before this, through on_loop()
// Errors     none: a loop that cannot be made aborts the test program
// Threads    on_loop() from any thread but the loop's own
#ifndef LINESIGN_TESTS_SUPPORT_LOOP_THREAD_H_
#define LINESIGN_TESTS_SUPPORT_LOOP_THREAD_H_

#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <thread>
#include <utility>

#include "protocol/event/event_loop.h"

namespace linesign {

class LoopThread final {
 public:
  LoopThread() = default;
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;
  ~LoopThread() { loop_->stop(); }  // and then thread_ joins

  EventLoop& loop() { return *loop_; }

  // Runs `work` on the loop's thread and waits for its result.
  template <typename Work>
  auto on_loop(Work work) {
    using Task = std::packaged_task<decltype(work())()>;
    // Shared: the loop may still be leaving the task when its result is here.
    const auto task = std::make_shared<Task>(std::move(work));
    auto result = task->get_future();
    loop_->post([task] { (*task)(); });
    return result.get();
  }

 private:
  static std::unique_ptr<EventLoop> make() {
    auto loop = EventLoop::create();
    if (!loop.has_value()) {
      std::fprintf(stderr, "LoopThread: %s\n", loop.error().to_string().c_str());
      std::abort();
    }
    return std::move(*loop);
  }

  const std::unique_ptr<EventLoop> loop_ = make();
  const std::jthread thread_{[this] { loop_->run(); }};
};

}  // namespace linesign

#endif  // LINESIGN_TESTS_SUPPORT_LOOP_THREAD_H_
