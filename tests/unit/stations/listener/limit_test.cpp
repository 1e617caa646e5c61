// Floods: of requests, connections, and of descriptors.
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include "tests/unit/stations/listener/listener_fixture.h"

namespace {
std::atomic<bool> descriptors_ran_out = false;
}

// Stands before the C library's. Taking all descriptors for real would take them from the
// sanitizers too, which open pipes to look at memory.
extern "C" int accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  if (descriptors_ran_out) {
    errno = EMFILE;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_accept4, fd, address, length, flags));
}

namespace linesign::test {
namespace {

class LimitTest : public ListenerFixture {};

// Sends more than the sockets take while the test reads the answers. A test that fails meanwhile
// leaves a sender that nobody reads from: then its connection is cut.
class BackgroundSender final {
 public:
  BackgroundSender(TestStation& station, ByteView bytes)
      : station_(station), thread_([&station, bytes] { station.send_raw(bytes); }) {}
  BackgroundSender(const BackgroundSender&) = delete;
  BackgroundSender& operator=(const BackgroundSender&) = delete;
  ~BackgroundSender() {
    if (thread_.joinable()) ::shutdown(station_.fd(), SHUT_RDWR);
  }
  // REQUIRES: all of it is being read.
  void finish() { thread_.join(); }

 private:
  const TestStation& station_;
  std::jthread thread_;
};

TEST_F(LimitTest, TenThousandRequestsOverTheWindowAreAnsweredBusy) {
  constexpr uint32_t kRequests = 10'000;
  settings_.window = 16;
  start();
  const TlsContext own = context();
  TestStation station(port_, &own);
  ASSERT_TRUE(station.greet());
  Bytes stream;
  for (uint32_t i = 0; i < kRequests; ++i) append_frame(stream, issue(i));
  const Bytes ciphertext = station.encrypt(stream);
  BackgroundSender sender(station, ciphertext);
  for (uint32_t i = 16; i < kRequests; ++i) {
    const auto reply = station.receive();
    ASSERT_TRUE(reply);
    ASSERT_EQ(failure_code(reply->issue().failure()), ErrorCode::Busy);
  }
  sender.finish();
  EXPECT_EQ(counters().busy, kRequests - 16);
  EXPECT_EQ(counters().requests, kRequests);
  // The sixteen are still answered, and the station is not thrown out.
  const Bytes certificate = {0x30, 0x00};
  on_loop([&] {
    while (!service_.replies.empty()) service_.answer(ByteView(certificate));
  });
  for (int i = 0; i < 16; ++i) EXPECT_EQ(station.receive()->issue().status(), 1);
}

TEST_F(LimitTest, AFloodOfPingsIsHeldBackAndAnsweredInFull) {
  constexpr uint64_t kPings = 400'000;
  settings_.max_output_bytes = 1024 * 1024;  // what is held back must stay below this
  start();
  const TlsContext own = context();
  TestStation station(port_, &own);
  ASSERT_TRUE(station.greet());
  Bytes stream;
  for (uint64_t i = 1; i <= kPings; ++i) append_frame(stream, ping(i));
  const Bytes ciphertext = station.encrypt(stream);
  BackgroundSender sender(station, ciphertext);
  for (uint64_t i = 1; i <= kPings; ++i) {
    const auto reply = station.receive();
    ASSERT_TRUE(reply);
    ASSERT_EQ(reply->pong().nonce(), i);
  }
  sender.finish();
}

TEST_F(LimitTest, AStationThatWasToldToComeLaterIsNotReadBefore) {
  constexpr std::chrono::milliseconds kTime(300);
  settings_.window = 4;
  const auto station = start_and_ask(4);
  ASSERT_TRUE(station);
  const auto told = std::chrono::steady_clock::now();
  on_loop([&] {
    while (!service_.replies.empty())
      service_.answer(tl::unexpected(Refusal{Error(ErrorCode::Busy), kTime}));
  });
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(failure_code(station->receive()->issue().failure()), ErrorCode::Busy);
  station->send(issue(1));
  ASSERT_TRUE(eventually([&] { return service_.replies.size() == 1; }));
  EXPECT_GE(std::chrono::steady_clock::now() - told, kTime);
  station->send(ping(1));
  EXPECT_TRUE(station->receive()->has_pong()) << "and then as before";
}

TEST_F(LimitTest, AStationThatLeavesWhileItIsNotReadGivesItsSessionBack) {
  settings_.window = 1;
  settings_.frame_timeout = std::chrono::milliseconds(200);  // and so looked after often
  auto station = start_and_ask(1);
  ASSERT_TRUE(station);
  on_loop([&] {
    service_.answer(tl::unexpected(Refusal{Error(ErrorCode::Busy), std::chrono::minutes(10)}));
  });
  ASSERT_TRUE(station->receive());
  station->send(issue(2));  // stays unread
  station.reset();
  EXPECT_TRUE(eventually([&] { return listener_->counters().sessions == 0; }));
}

TEST_F(LimitTest, ASessionOverMaxSessionsIsToldBusy) {
  settings_.max_sessions = 2;
  start();
  const TlsContext own = context();
  const TlsContext other = context(second_station_);
  auto first = std::make_unique<TestStation>(port_, &own);
  TestStation second(port_, &own);
  ASSERT_TRUE(first->greet() && second.greet());
  TestStation third(port_, &other);
  expect_goodbye(third, ErrorCode::Busy, true);
  EXPECT_EQ(counters().sessions, 2U);
  EXPECT_EQ(counters().sessions_full, 1U);
  first.reset();
  ASSERT_TRUE(eventually([&] { return listener_->counters().sessions == 1; }));
  TestStation fourth(port_, &other);
  EXPECT_TRUE(fourth.greet());
}

TEST_F(LimitTest, AStationWithTooManySessionsIsToldSessionLimitAndOthersNoticeNothing) {
  settings_.max_sessions_per_station = 2;
  start();
  const TlsContext own = context();
  const TlsContext other = context(second_station_);
  TestStation first(port_, &own);
  TestStation second(port_, &own);
  ASSERT_TRUE(first.greet() && second.greet());
  EXPECT_EQ(counters().stations_at_limit, 1U);
  for (int i = 0; i < 3; ++i) {
    TestStation more(port_, &own);
    expect_goodbye(more, ErrorCode::SessionLimit, true);
  }
  EXPECT_EQ(counters().session_limit, 3U);
  EXPECT_EQ(on_loop([&] { return listener_->sessions_of(1); }), 2U);
  TestStation neighbour(port_, &other);
  EXPECT_TRUE(neighbour.greet());
  first.send(ping(1));
  EXPECT_TRUE(first.receive()->has_pong()) << "sessions that work stay";
}

TEST_F(LimitTest, TheSessionThatWasSilentForLongestGivesWayToANewOne) {
  settings_.max_sessions_per_station = 2;
  settings_.replace_after = std::chrono::milliseconds(50);
  start();
  const TlsContext own = context();
  TestStation silent(port_, &own);
  TestStation lively(port_, &own);
  ASSERT_TRUE(silent.greet() && lively.greet());
  // Longer than replace_after, seen from the loop's clock.
  const auto greeted = std::chrono::steady_clock::now();
  ASSERT_TRUE(eventually(
      [&] { return std::chrono::steady_clock::now() - greeted > std::chrono::milliseconds(100); }));
  lively.send(issue(1));  // waits for its answer, so it is not silent
  ASSERT_TRUE(eventually([&] { return service_.replies.size() == 1; }));
  TestStation back(port_, &own);
  EXPECT_TRUE(back.greet());
  const auto told = silent.receive_until_closed();
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(goodbye_code(told.back()), ErrorCode::SessionLimit);
  EXPECT_EQ(told.back().goodbye().reason().retry_after_ms(), 100U) << "nothing is full";
  EXPECT_EQ(counters().replaced_sessions, 1U);
  on_loop([&] { service_.answer(ByteView(Bytes{0x30, 0x00})); });
  EXPECT_EQ(lively.receive()->issue().status(), station::v1::STATUS_OK);
}

TEST_F(LimitTest, SilentConnectionsDoNotKeepStationsOut) {
  settings_.max_sessions = 4;
  settings_.max_pending = 16;
  settings_.max_pending_per_source = 8;
  start();
  const TlsContext own = context();
  std::vector<std::unique_ptr<TestStation>> silent;
  for (int i = 0; i < 100; ++i) silent.push_back(std::make_unique<TestStation>(port_));
  TestStation station(port_, &own);
  EXPECT_TRUE(station.greet());
  ASSERT_TRUE(eventually([&] { return listener_->counters().accepted == 101; }));
  EXPECT_EQ(counters().pending, 7U) << "and the station has left them";
  EXPECT_EQ(counters().dropped_handshakes, 93U);
}

TEST_F(LimitTest, EnrollmentsThatSayNothingDoNotKeepStationsOut) {
  settings_.max_sessions = 1;
  settings_.max_pending_per_source = 4;
  start();
  const TlsContext joining = TlsContext::for_enrollment(ca_.fingerprint()).value();
  std::vector<std::unique_ptr<TestStation>> silent;
  for (int i = 0; i < 3; ++i) {
    silent.push_back(std::make_unique<TestStation>(port_, &joining));
    ASSERT_TRUE(silent.back()->shake_hands());
  }
  EXPECT_EQ(counters().pending, 3U);
  EXPECT_EQ(counters().sessions, 0U);
  const TlsContext own = context();
  TestStation station(port_, &own);
  EXPECT_TRUE(station.greet());
}

TEST_F(LimitTest, WhatWaitsForAllStationsIsBounded) {
  constexpr size_t kMost = 4 * 1024 * 1024;
  settings_.max_output_sum = kMost;
  settings_.max_output_bytes = 1024 * 1024 * 1024;
  start();
  service_.immediate = Bytes(60'000, 0x30);
  const TlsContext own = context();
  const TlsContext other = context(second_station_);
  TestStation reader(port_, &other);
  ASSERT_TRUE(reader.greet());
  // One read of the appliance brings many of them.
  Bytes stream;
  for (uint32_t i = 0; i < 250; ++i) append_frame(stream, issue(i));
  std::vector<std::unique_ptr<TestStation>> deaf;
  for (int i = 0; i < 4; ++i) {
    deaf.push_back(std::make_unique<TestStation>(port_, &own));
    ASSERT_TRUE(deaf.back()->greet());
    deaf.back()->send_plaintext(stream);
  }
  EXPECT_TRUE(eventually([&] { return listener_->counters().dropped_stalled > 0; }));
  EXPECT_LE(counters().waiting_bytes, kMost);
  reader.send(issue(1));
  EXPECT_EQ(reader.receive()->issue().status(), station::v1::STATUS_OK);
}

TEST_F(LimitTest, ConnectionsThatOnlyEndAreBounded) {
  settings_.max_closing = 4;
  start();
  const TlsContext unknown = context(ca_.issue({.common_name = "nobody"}));
  std::vector<std::unique_ptr<TestStation>> staying;
  for (int i = 0; i < 12; ++i) {
    staying.push_back(std::make_unique<TestStation>(port_, &unknown));
    expect_goodbye(*staying.back(), ErrorCode::StationUnknown);
  }
  EXPECT_LE(counters().connections, 4U);
}

// A station in front of those that end: it reads nothing, and much is to be written to it before
// its Goodbye.
class ClosingTest : public LimitTest {
 protected:
  static constexpr size_t kMost = 4;

  ClosingTest() {
    settings_.max_closing = kMost;
    settings_.closing_timeout = std::chrono::minutes(1);
    settings_.max_output_bytes = 1024 * 1024 * 1024;
    service_.immediate = Bytes(60'000, 0x30);
  }

  void SetUp() override {
    start();
    front_ = std::make_unique<TestStation>(port_, &own_context_);
    ASSERT_TRUE(front_->greet());
    Bytes stream;
    for (uint32_t i = 0; i < 250; ++i) append_frame(stream, issue(i));
    front_->send_plaintext(stream);
    ASSERT_TRUE(eventually([&] { return listener_->counters().waiting_bytes > 0; }));
    on_loop([&] { listener_->close_station(1, Error(ErrorCode::StationRevoked)); });
    ASSERT_GT(counters().waiting_bytes, 0U);
  }

  const TlsContext unknown_ = context(ca_.issue({.common_name = "nobody"}));
  std::unique_ptr<TestStation> front_;
};

TEST_F(ClosingTest, StrangersPushOutNoStation) {
  std::vector<std::unique_ptr<TestStation>> staying;
  for (uint64_t i = 1; i <= 2 * kMost; ++i) {
    staying.push_back(std::make_unique<TestStation>(port_));
    ASSERT_TRUE(staying.back()->send_raw(as_bytes("GET / HTTP/1.1\r\n\r\n")));
    ASSERT_TRUE(eventually([&] { return listener_->counters().refused_handshakes == i; }));
  }
  EXPECT_LE(counters().connections, kMost);
  expect_goodbye(*front_, ErrorCode::StationRevoked);
}

TEST_F(ClosingTest, EnrollmentsPushOutNoStation) {
  const TlsContext joining = TlsContext::for_enrollment(ca_.fingerprint()).value();
  std::vector<std::unique_ptr<TestStation>> staying;
  for (size_t i = 0; i < 2 * kMost; ++i) {
    staying.push_back(std::make_unique<TestStation>(port_, &joining));
    ASSERT_TRUE(staying.back()->shake_hands());
    staying.back()->send(hello());
    expect_goodbye(*staying.back(), ErrorCode::MessageUnknown);
  }
  EXPECT_LE(counters().connections, kMost);
  expect_goodbye(*front_, ErrorCode::StationRevoked);
}

TEST_F(ClosingTest, OnesThatHaveEndedDoNotCount) {
  for (size_t i = 0; i < 2 * kMost; ++i) {
    TestStation leaving(port_, &unknown_);
    expect_goodbye(leaving, ErrorCode::StationUnknown);
    leaving.disconnect();
    ASSERT_TRUE(eventually([&] { return listener_->counters().connections == 1; }));
  }
  expect_goodbye(*front_, ErrorCode::StationRevoked);
}

TEST_F(LimitTest, ClosingMoreSessionsThanMayCloseTellsEachOfThem) {
  settings_.max_closing = 4;
  settings_.max_sessions_per_station = 20;
  start();
  std::vector<std::unique_ptr<TestStation>> stations;
  for (int i = 0; i < 20; ++i)
    stations.push_back(std::make_unique<TestStation>(port_, &own_context_));
  for (auto& station : stations) ASSERT_TRUE(station->greet());
  on_loop([&] { listener_->close_station(1, Error(ErrorCode::StationRevoked)); });
  for (auto& station : stations) {
    expect_goodbye(*station, ErrorCode::StationRevoked);
    EXPECT_TRUE(station->tls().is_peer_closed()) << "close_notify";
  }
}

TEST_F(LimitTest, AnswersOfOneTurnShareTlsRecords) {
  start();
  const TlsContext own = context();
  TestStation station(port_, &own);
  ASSERT_TRUE(station.greet());
  Bytes stream;
  for (uint32_t i = 0; i < 256; ++i) append_frame(stream, issue(i));
  station.send_plaintext(stream);
  ASSERT_TRUE(eventually([&] { return service_.replies.size() == 256; }));
  const size_t records_before = station.records_received();
  const Bytes certificate(1000, 0x30);
  on_loop([&] {
    while (!service_.replies.empty()) service_.answer(ByteView(certificate));
  });
  for (int i = 0; i < 256; ++i) ASSERT_TRUE(station.receive());
  // 256 answers of 1,030 bytes fill 17 records of 16 KiB.
  EXPECT_LE(station.records_received() - records_before, 20U);
}

TEST_F(LimitTest, AcceptingGoesOnAfterDescriptorsRanOut) {
  start();
  const TlsContext own = context();
  descriptors_ran_out = true;
  TestStation station(port_, &own);
  EXPECT_FALSE(station.wait_readable(std::chrono::milliseconds(100)));
  EXPECT_EQ(counters().accepted, 0U);
  EXPECT_LT(counters().out_of_descriptors, 10U) << "the loop spins";
  descriptors_ran_out = false;
  EXPECT_TRUE(station.greet());
}

}  // namespace
}  // namespace linesign::test
