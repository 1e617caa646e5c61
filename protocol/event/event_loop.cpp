#include "protocol/event/event_loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <utility>
#include <vector>

#include <event2/event.h>

#include "protocol/base/file.h"
#include "protocol/base/unique_fd.h"

namespace linesign {
namespace {

template <auto Function>
struct FreeWith {
  template <typename T>
  void operator()(T* pointer) const {
    Function(pointer);
  }
};
using EventBase = std::unique_ptr<event_base, FreeWith<event_base_free>>;
using Event = std::unique_ptr<event, FreeWith<event_free>>;

// A callback may destroy its own Watch or Timer, so the function is held by a shared pointer that
// the running callback keeps alive.
template <typename Signature>
using SharedFunction = std::shared_ptr<std::function<Signature>>;

class FdWatch final : public Watch {
 public:
  FdWatch(event_base* base, int fd, std::function<void(Readiness)> on_ready)
      : base_(base),
        fd_(fd),
        on_ready_(std::make_shared<std::function<void(Readiness)>>(std::move(on_ready))) {}

  void wait_for(Readiness wanted) override {
    if (wanted.read == wanted_.read && wanted.write == wanted_.write) return;
    wanted_ = wanted;
    event_.reset();
    if (!wanted.read && !wanted.write) return;
    const int what = EV_PERSIST | (wanted.read ? EV_READ : 0) | (wanted.write ? EV_WRITE : 0);
    event_.reset(event_new(base_, fd_, static_cast<short>(what), &FdWatch::ready, this));
    event_add(event_.get(), nullptr);
  }

 private:
  static void ready(evutil_socket_t /*fd*/, short what, void* self) {
    const auto on_ready = static_cast<FdWatch*>(self)->on_ready_;
    (*on_ready)({(what & EV_READ) != 0, (what & EV_WRITE) != 0});
  }

  event_base* base_;
  int fd_;
  Readiness wanted_;
  SharedFunction<void(Readiness)> on_ready_;
  Event event_;
};

class SignalWatch final : public Watch {
 public:
  SignalWatch(event_base* base, int signal_number, std::function<void()> on_signal)
      : on_signal_(std::make_shared<std::function<void()>>(std::move(on_signal))),
        event_(evsignal_new(base, signal_number, &SignalWatch::ready, this)) {
    event_add(event_.get(), nullptr);
  }

  void wait_for(Readiness /*wanted*/) override {}

 private:
  static void ready(evutil_socket_t /*signal_number*/, short /*what*/, void* self) {
    const auto on_signal = static_cast<SignalWatch*>(self)->on_signal_;
    (*on_signal)();
  }

  SharedFunction<void()> on_signal_;
  Event event_;
};

class LoopTimer final : public Timer {
 public:
  LoopTimer(event_base* base, std::function<void()> on_time)
      : on_time_(std::make_shared<std::function<void()>>(std::move(on_time))),
        event_(evtimer_new(base, &LoopTimer::ready, this)) {}

  void start(std::chrono::milliseconds delay) override {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(delay);
    const std::chrono::microseconds rest = delay - seconds;
    const timeval wait{seconds.count(), rest.count()};
    evtimer_add(event_.get(), &wait);
  }

  void stop() override { evtimer_del(event_.get()); }

 private:
  static void ready(evutil_socket_t /*fd*/, short /*what*/, void* self) {
    const auto on_time = static_cast<LoopTimer*>(self)->on_time_;
    (*on_time)();
  }

  SharedFunction<void()> on_time_;
  Event event_;
};

}  // namespace

class EventLoop::Implementation final {
 public:
  Implementation(EventBase base, UniqueFd wake) : base_(std::move(base)), wake_(std::move(wake)) {
    wake_watch_ = std::make_unique<FdWatch>(
        base_.get(), wake_.get(), [this](Readiness /*ready*/) { run_posted(); });
    wake_watch_->wait_for({.read = true, .write = false});
  }

  event_base* base() { return base_.get(); }

  void post(std::function<void()> work) {
    bool was_empty = false;
    {
      const std::lock_guard lock(mutex_);
      was_empty = posted_.empty();
      posted_.push_back(std::move(work));
    }
    // One wake-up serves all that is posted until the loop takes it.
    if (was_empty) wake();
  }

  void wake() const {
    const uint64_t one = 1;
    while (::write(wake_.get(), &one, sizeof one) < 0 && errno == EINTR) {
    }
  }

 private:
  void run_posted() {
    uint64_t count = 0;
    while (::read(wake_.get(), &count, sizeof count) < 0 && errno == EINTR) {
    }
    std::vector<std::function<void()>> work;
    {
      const std::lock_guard lock(mutex_);
      work.swap(posted_);
    }
    for (auto& item : work) item();
  }

  EventBase base_;
  UniqueFd wake_;
  std::unique_ptr<FdWatch> wake_watch_;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;  // guarded by mutex_
};

Result<std::unique_ptr<EventLoop>> EventLoop::create() {
  EventBase base(event_base_new());
  if (base == nullptr) return fail(ErrorCode::Internal, "event_base_new");
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return fail(ErrorCode::Io, "eventfd: " + errno_text(errno));
  return std::unique_ptr<EventLoop>(
      new EventLoop(std::make_unique<Implementation>(std::move(base), std::move(wake))));
}

EventLoop::EventLoop(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}

EventLoop::~EventLoop() = default;

std::unique_ptr<Watch> EventLoop::watch(int fd,
                                        Readiness wanted,
                                        std::function<void(Readiness)> on_ready) {
  auto watch = std::make_unique<FdWatch>(implementation_->base(), fd, std::move(on_ready));
  watch->wait_for(wanted);
  return watch;
}

std::unique_ptr<Timer> EventLoop::make_timer(std::function<void()> on_time) {
  return std::make_unique<LoopTimer>(implementation_->base(), std::move(on_time));
}

std::unique_ptr<Watch> EventLoop::watch_signal(int signal_number, std::function<void()> on_signal) {
  return std::make_unique<SignalWatch>(
      implementation_->base(), signal_number, std::move(on_signal));
}

void EventLoop::post(std::function<void()> work) { implementation_->post(std::move(work)); }

void EventLoop::run() { event_base_loop(implementation_->base(), EVLOOP_NO_EXIT_ON_EMPTY); }

void EventLoop::stop() {
  post([this] { event_base_loopbreak(implementation_->base()); });
}

}  // namespace linesign
