#include "protocol/event/event_loop.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "protocol/base/unique_fd.h"

namespace linesign {
namespace {

using std::chrono::milliseconds;

class EventLoopTest : public testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    near_ = UniqueFd(ends[0]);
    far_ = UniqueFd(ends[1]);
    // A test that waits for nothing ends anyway.
    deadline_ = loop_->make_timer([this] {
      ADD_FAILURE() << "the loop was not stopped";
      loop_->stop();
    });
    deadline_->start(std::chrono::seconds(30));
  }

  std::unique_ptr<EventLoop> loop_ = std::move(EventLoop::create()).value();
  std::unique_ptr<Timer> deadline_;
  UniqueFd near_;
  UniqueFd far_;
};

TEST_F(EventLoopTest, RunsPostedWorkInOrderAndNeverInline) {
  std::string order;
  loop_->post([&] {
    order += "a";
    loop_->post([&] {
      order += "c";
      loop_->stop();
    });
    order += "b";
  });
  EXPECT_EQ(order, "");
  loop_->run();
  EXPECT_EQ(order, "abc");
}

TEST_F(EventLoopTest, TakesWorkFromOtherThreads) {
  constexpr int kThreads = 4;
  constexpr int kEach = 1000;
  int count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        loop_->post([&] {
          if (++count == kThreads * kEach) loop_->stop();
        });
      }
    });
  }
  loop_->run();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(count, kThreads * kEach);
}

TEST_F(EventLoopTest, WatchTellsWhatIsReady) {
  std::vector<bool> reads;
  std::unique_ptr<Watch> watch;
  watch = loop_->watch(near_.get(), {.read = true, .write = true}, [&](Readiness ready) {
    reads.push_back(ready.read);
    EXPECT_TRUE(ready.write);
    if (reads.size() == 1) {
      ASSERT_EQ(::write(far_.get(), "x", 1), 1);
    } else if (ready.read) {
      loop_->stop();
    }
  });
  loop_->run();
  EXPECT_FALSE(reads.front());
  EXPECT_TRUE(reads.back());
}

TEST_F(EventLoopTest, PausedWatchIsSilent) {
  ASSERT_EQ(::write(far_.get(), "x", 1), 1);
  bool was_called = false;
  const auto watch = loop_->watch(
      near_.get(), {.read = true, .write = false}, [&](Readiness /*ready*/) { was_called = true; });
  watch->wait_for({});
  const auto timer = loop_->make_timer([&] { loop_->stop(); });
  timer->start(milliseconds(20));
  loop_->run();
  EXPECT_FALSE(was_called);
}

TEST_F(EventLoopTest, HangUpWakesAReader) {
  int reads = 0;
  const auto watch =
      loop_->watch(near_.get(), {.read = true, .write = false}, [&](Readiness ready) {
        EXPECT_TRUE(ready.read);
        ++reads;
        loop_->stop();
      });
  far_.reset();
  loop_->run();
  EXPECT_GE(reads, 1);
}

TEST_F(EventLoopTest, WatchMayDestroyItselfInItsCallback) {
  std::unique_ptr<Watch> watch;
  auto token = std::make_shared<int>(0);  // the callback's own state must survive its end
  watch = loop_->watch(
      near_.get(), {.read = false, .write = true}, [&watch, &loop = *loop_, token](Readiness) {
        watch.reset();
        ++*token;
        loop.stop();
      });
  loop_->run();
  EXPECT_EQ(*token, 1);
}

TEST_F(EventLoopTest, TimersRunInOrderOfTimeAndOnce) {
  std::string order;
  const auto late = loop_->make_timer([&] {
    order += "late";
    loop_->stop();
  });
  const auto early = loop_->make_timer([&] { order += "early "; });
  const auto stopped = loop_->make_timer([&] { order += "stopped "; });
  late->start(milliseconds(30));
  early->start(milliseconds(5));
  stopped->start(milliseconds(5));
  stopped->stop();
  loop_->run();
  EXPECT_EQ(order, "early late");
}

TEST_F(EventLoopTest, TimerMayRestartAndDestroyItself) {
  int runs = 0;
  std::unique_ptr<Timer> timer;
  timer = loop_->make_timer([&] {
    if (++runs < 3) return timer->start(milliseconds(1));
    timer.reset();
    loop_->stop();
  });
  timer->start(milliseconds(1));
  loop_->run();
  EXPECT_EQ(runs, 3);
}

TEST_F(EventLoopTest, SignalsArriveOnTheLoop) {
  bool got = false;
  const auto watch = loop_->watch_signal(SIGUSR1, [&] {
    got = true;
    loop_->stop();
  });
  loop_->post([] { ::raise(SIGUSR1); });
  loop_->run();
  EXPECT_TRUE(got);
}

}  // namespace
}  // namespace linesign
