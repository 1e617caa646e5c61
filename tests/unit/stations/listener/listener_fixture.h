// ListenerFixture: a real Listener on loopback, its loop in a thread, with a fake service.
#ifndef LINESIGN_TESTS_UNIT_STATIONS_LISTENER_LISTENER_FIXTURE_H_
#define LINESIGN_TESTS_UNIT_STATIONS_LISTENER_LISTENER_FIXTURE_H_

#include <memory>
#include <thread>

#include <gtest/gtest.h>

#include "stations/listener/listener.h"
#include "tests/support/fake_station_service.h"
#include "tests/support/loop_thread.h"
#include "tests/support/test_station.h"
#include "tests/support/tls_fixtures.h"

namespace linesign::test {

class ListenerFixture : public testing::Test {
 protected:
  // Runs `work` on the loop's thread and waits for its result.
  template <typename Work>
  auto on_loop(Work work) {
    return loop_.on_loop(std::move(work));
  }

  ListenerFixture() {
    settings_.address = "127.0.0.1:0";
    settings_.software = "linesign/test";
    service_.stations[station_.hash()] = {.id = 1, .name = "jig-1"};
    service_.stations[second_station_.hash()] = {.id = 2, .name = "jig-2"};
  }

  ~ListenerFixture() override {
    on_loop([&] { listener_.reset(); });
  }

  ListenerCredential credential() const {
    return {server_.certificate_pem, server_.private_key_pem, ca_.pem()};
  }

  void start() {
    on_loop([&] {
      auto listener = Listener::open(loop_.loop(), service_, settings_, credential());
      ASSERT_TRUE(listener) << listener.error().to_string();
      listener_ = std::move(*listener);
      port_ = listener_->port();
    });
  }

  // Starts, welcomes a station, and waits until its IssueRequests 1 to `requests` are with the
  // service, unanswered. Null: it did not come to that, and the test has failed.
  std::unique_ptr<TestStation> start_and_ask(uint32_t requests) {
    start();
    auto station = std::make_unique<TestStation>(port_, &own_context_);
    const bool is_welcome = station->greet();
    EXPECT_TRUE(is_welcome);
    if (!is_welcome) return nullptr;
    for (uint32_t i = 1; i <= requests; ++i) station->send(issue(i));
    const bool is_there = eventually([&] { return service_.replies.size() == requests; });
    EXPECT_TRUE(is_there);
    return is_there ? std::move(station) : nullptr;
  }

  // Turns the loop until the condition, seen from the loop's thread, holds.
  template <typename Condition>
  bool eventually(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + TestStation::kPatience;
    while (std::chrono::steady_clock::now() < deadline) {
      if (on_loop(condition)) return true;
      std::this_thread::yield();
    }
    return false;
  }
  ListenerCounters counters() {
    return on_loop([&] { return listener_->counters(); });
  }

  TlsContext context(const TlsLeaf& leaf) const {
    return TlsContext::for_station(leaf.credential(), ca_.pem()).value();
  }
  TlsContext context() const { return context(station_); }

  // The one Goodbye that a session ends with.
  static void expect_goodbye(TestStation& station, ErrorCode code, bool may_return = false) {
    if (!station.tls().is_open()) {
      ASSERT_TRUE(station.shake_hands());
    }
    const auto messages = station.receive_until_closed();
    ASSERT_FALSE(messages.empty());
    EXPECT_EQ(goodbye_code(messages.back()), code);
    if (may_return) {
      EXPECT_GT(messages.back().goodbye().reason().retry_after_ms(), 0U);
    }
  }

  TlsTestCa ca_;
  TlsTestCa device_ca_{"Test Device CA"};
  TlsLeaf server_ = ca_.issue_server();
  TlsLeaf station_ = ca_.issue({});
  TlsLeaf second_station_ = ca_.issue({.common_name = "station-2"});
  const TlsContext own_context_ = context();
  FakeStationService service_;
  ListenerSettings settings_;
  LoopThread loop_;
  std::unique_ptr<Listener> listener_;
  uint16_t port_ = 0;
};

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_UNIT_STATIONS_LISTENER_LISTENER_FIXTURE_H_
