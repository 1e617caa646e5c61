// What a user, a hanging ledger or a client that goes cannot do to the others at the admin socket.
#include <poll.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "appliance/admin/client/cloud_client.h"
#include "appliance/admin/server/unix_socket.h"
#include "tests/unit/appliance/admin/admin_server_fixture.h"

namespace linesign {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class AdminLimits : public test::AdminServerTest {
 protected:
  // As many connections of a user as it may have, each with a call that gets no reply: none of them
  // ever gives way.
  void fill_up(bool is_named) {
    constexpr size_t kLimit = 3;
    settings_.reply_timeout = std::chrono::minutes(5);
    settings_.max_connections_per_user = kLimit;
    settings_.max_calls_per_user = kLimit;
    settings_.user_of = user_by_name;
    std::promise<void> all_kept;
    loop_.on_loop([&] {
      service_.is_silent = true;
      service_.on_kept = [&] {
        if (service_.kept_replies.size() == kLimit) all_kept.set_value();
      };
    });
    ASSERT_TRUE(start().has_value());
    for (size_t i = 0; i < kLimit; ++i) {
      held_.push_back(connect(is_named));
      ASSERT_TRUE(send_all(held_.back(), test::kStatusRequest));
    }
    all_kept.get_future().wait();
  }

  std::vector<UniqueFd> held_;
};

TEST_F(AdminLimits, AUserWhoReconnectsWithoutEndHoldsUpNobodyElse) {
  fill_up(true);
  std::atomic<bool> is_over = false;
  std::vector<std::jthread> flood(2);
  for (std::jthread& each : flood)
    each = std::jthread([&] {
      while (!is_over) {
        const UniqueFd fd = connect(true);
        if (!fd) return;
        if (!is_over) read_all(fd);
      }
    });
  bool is_served = true;
  for (int i = 0; i < 10 && is_served; ++i) {
    const std::string name = "jig-" + std::to_string(i);
    is_served = client().add_station(name).has_value() &&
                client().revoke_station(name).has_value() && client().stations().has_value();
  }
  EXPECT_TRUE(is_served);
  EXPECT_THAT(read_all(connect(true)), HasSubstr("AdminBusy"));
  is_over = true;
}

TEST_F(AdminLimits, AUserWithTooManyConnectionsIsToldSo) {
  fill_up(false);
  const auto stations = AdminClient(settings_.socket, std::chrono::milliseconds(300)).stations();
  ASSERT_FALSE(stations.has_value());
  EXPECT_EQ(stations.error().code(), ErrorCode::AdminBusy);
  EXPECT_EQ(stations.error().exit_code(), 75);
}

TEST_F(AdminLimits, WhoIsTurnedAwayMaySendItsRequestLater) {
  fill_up(false);
  const UniqueFd late = connect();
  pollfd answered{.fd = late.get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&answered, 1, 20'000), 1);
  EXPECT_TRUE(send_all(late, test::kStatusRequest));
  EXPECT_THAT(read_all(late), StartsWith("HTTP/1.1 503"));
}

TEST_F(AdminLimits, FewOfThoseWhoWereTurnedAwayAreKept) {
  settings_.max_turned_away = 2;
  fill_up(false);
  std::vector<UniqueFd> away(5);
  for (UniqueFd& each : away) each = connect();
  for (size_t i = 0; i < 3; ++i) {
    pollfd closed{.fd = away[i].get(), .events = 0, .revents = 0};  // POLLHUP: in both directions
    EXPECT_EQ(::poll(&closed, 1, 20'000), 1) << i;
  }
  EXPECT_THAT(read_all(away.back()), HasSubstr("AdminBusy"));
}

TEST_F(AdminLimits, AUserGetsInAsSoonAsOneOfItsCallsIsOver) {
  fill_up(false);
  auto call = std::async(std::launch::async, [this] { return client().stations(); });
  loop_.on_loop([this] { service_.kept_replies.front()(service_.present_status); });
  EXPECT_THAT(read_all(held_.front()), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(call.get().has_value());
}

// The uploader asks for each target at once, and a ledger that hangs keeps all of it.
TEST_F(AdminLimits, CloudCallsWithoutReplyLeaveThreadsForTheRest) {
  settings_.reply_timeout = settings_.cloud_reply_timeout = std::chrono::minutes(5);
  loop_.on_loop([this] { service_.present_cloud.is_silent = true; });
  ASSERT_TRUE(start().has_value());
  for (int i = 0; i < 20; ++i) {
    held_.push_back(connect());
    ASSERT_TRUE(send_all(held_.back(), "GET /v1/cloud/status HTTP/1.1\r\nHost: x\r\n\r\n"));
  }
  EXPECT_TRUE(client().status().has_value());
  EXPECT_TRUE(client().add_station("jig-1").has_value());
}

TEST_F(AdminLimits, TheServerGivesUpBeforeItsClients) {
  constexpr std::chrono::milliseconds kWay(500);  // there and back, on a busy machine
  const AdminServerSettings defaults;
  EXPECT_LT(defaults.reply_timeout + kWay, AdminClient::kTimeout);
  EXPECT_LT(defaults.cloud_reply_timeout + kWay, AdminClient::kCloudTimeout);
}

TEST_F(AdminLimits, CloudCallsHaveATimeOfTheirOwn) {
  settings_.cloud_reply_timeout = std::chrono::milliseconds(60);
  loop_.on_loop([this] { service_.present_cloud.is_silent = true; });
  ASSERT_TRUE(start().has_value());
  EXPECT_EQ(client().cloud().status().error().detail(), "no answer within 60 ms");
}

constexpr const char* kLookAtStatus = "; it may still take effect: look at `linesign status`";
constexpr const char* kLookAtList = "; it may still take effect: look at `linesign station list`";
constexpr const char* kAddAgain =
    "; it may still take effect: look at `linesign station list`; if jig-1 is invited, its token "
    "is "
    "lost: `linesign station revoke jig-1`, then add it again";

TEST_F(AdminLimits, AnOrderWithoutAnAnswerMayStillTakeEffectAndSaysSo) {
  settings_.reply_timeout = std::chrono::milliseconds(50);
  loop_.on_loop([this] { service_.is_mute_to_orders = true; });
  ASSERT_TRUE(start().has_value());
  const auto added = client().add_station("jig-1");
  EXPECT_EQ(added.error().code(), ErrorCode::AdminUnavailable);
  EXPECT_THAT(added.error().detail(), EndsWith(kAddAgain));
  EXPECT_THAT(client().revoke_station("jig-1").error().detail(), EndsWith(kLookAtList));
  EXPECT_THAT(client().confirm_clock(true).error().detail(), EndsWith(kLookAtStatus));
  EXPECT_THAT(client().trust_hsm().error().detail(), EndsWith(kLookAtStatus));
  EXPECT_EQ(client().stations()->size(), 1U) << "it did";
}

TEST_F(AdminLimits, SoDoesAClientThatGivesUpFirst) {
  settings_.reply_timeout = std::chrono::minutes(5);
  loop_.on_loop([this] { service_.is_mute_to_orders = true; });
  ASSERT_TRUE(start().has_value());
  const AdminClient hasty(settings_.socket, std::chrono::milliseconds(100));
  const auto added = hasty.add_station("jig-1");
  EXPECT_THAT(added.error().detail(), HasSubstr("connected, but no answer for 0.1 s: "));
  EXPECT_THAT(added.error().detail(), EndsWith(kAddAgain));
}

TEST(AdminLimitsClient, SaysNothingOfTheKindWhereNobodyListens) {
  const auto added = AdminClient("/nonexistent/admin.sock").add_station("jig-1");
  EXPECT_EQ(added.error().detail(), "/nonexistent/admin.sock: No such file or directory");
}

// Closes each connection at once, with its request unread.
TEST(AdminLimitsClient, DoesNotRepeatACallAtFullSpeed) {
  const TempDir folder;
  const UniqueFd listening = bind_unix_socket(folder.path() / "admin.sock").value();
  ASSERT_EQ(::listen(listening.get(), 8), 0);
  std::atomic<int> tries = 0;
  std::jthread server([&] {
    for (;;) {
      pollfd called{.fd = listening.get(), .events = POLLIN, .revents = 0};
      ::poll(&called, 1, 20'000);
      const UniqueFd fd(::accept(listening.get(), nullptr, nullptr));
      if (!fd) return;
      pollfd asked{.fd = fd.get(), .events = POLLIN, .revents = 0};
      ::poll(&asked, 1, 20'000);
      ++tries;
    }
  });
  const auto status =
      AdminClient(folder.path() / "admin.sock", std::chrono::milliseconds(500)).status();
  ::shutdown(listening.get(), SHUT_RDWR);
  EXPECT_EQ(status.error().code(), ErrorCode::AdminUnavailable);
  EXPECT_GE(tries, 1);
  EXPECT_LE(tries, 6);
}

}  // namespace
}  // namespace linesign
