#include "appliance/admin/server/admin_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "appliance/admin/server/unix_socket.h"
#include "protocol/base/unique_fd.h"
#include "tests/support/foreign_peer.h"
#include "tests/unit/appliance/admin/admin_server_fixture.h"

namespace linesign {
namespace {

using test::AdminServerTest;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

TEST_F(AdminServerTest, AnswersTheStatus) {
  ASSERT_TRUE(start().has_value());
  const auto status = client().status();
  ASSERT_TRUE(status.has_value()) << status.error().to_string();
  EXPECT_EQ(status->version, "9.9.9");
  EXPECT_TRUE(status->producing);
}

TEST_F(AdminServerTest, AddsListsAndRevokesStations) {
  ASSERT_TRUE(start().has_value());
  EXPECT_EQ(client().add_station("jig-1").value(), "LSJ1.token-of-jig-1");
  const auto stations = client().stations();
  ASSERT_TRUE(stations.has_value()) << stations.error().to_string();
  ASSERT_EQ(stations->size(), 1U);
  EXPECT_EQ(stations->front().record.name, "jig-1");
  EXPECT_EQ(client().revoke_station("jig-1")->state, StationState::Revoked);
}

TEST_F(AdminServerTest, BringsAConfirmationOfTheClockThere) {
  ASSERT_TRUE(start().has_value());
  EXPECT_TRUE(client().confirm_clock(false).has_value());
  EXPECT_EQ(client().confirm_clock(true).error().code(), ErrorCode::InputInvalid);
}

TEST_F(AdminServerTest, BringsTheServicesErrorsToTheClient) {
  ASSERT_TRUE(start().has_value());
  ASSERT_TRUE(client().add_station("jig-1").has_value());
  const auto again = client().add_station("jig-1");
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code(), ErrorCode::StationExists);
  EXPECT_EQ(again.error().detail(), "jig-1");
  const auto revoked = client().revoke_station("jig-2");
  ASSERT_FALSE(revoked.has_value());
  EXPECT_EQ(revoked.error().code(), ErrorCode::StationNotFound);
}

TEST_F(AdminServerTest, ServesManyClientsAtOnce) {
  ASSERT_TRUE(start().has_value());
  std::vector<std::future<bool>> calls;
  for (int i = 0; i < 16; ++i) {
    calls.push_back(std::async(std::launch::async, [this] {
      for (int j = 0; j < 10; ++j) {
        if (!client().status().has_value()) return false;
      }
      return true;
    }));
  }
  for (auto& call : calls) EXPECT_TRUE(call.get());
}

TEST_F(AdminServerTest, IsReadableByOwnerAndGroupOnly) {
  ASSERT_TRUE(start().has_value());
  struct stat info {};
  ASSERT_EQ(::stat(settings_.socket.c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  EXPECT_EQ(info.st_mode & 07777, 0660U);
}

TEST_F(AdminServerTest, RefusesASocketThatAnotherServerOwns) {
  ASSERT_TRUE(start().has_value());
  Result<void> second;
  loop_.on_loop([&] {
    auto server = AdminServer::start(loop_.loop(), service_, settings_);
    if (!server.has_value()) second = fail(server.error());
  });
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), ErrorCode::AdminSocketInUse);
  EXPECT_TRUE(client().status().has_value());
}

TEST_F(AdminServerTest, RemovesItsSocketAndStartsAgain) {
  ASSERT_TRUE(start().has_value());
  loop_.on_loop([this] { server_.reset(); });
  EXPECT_FALSE(std::filesystem::exists(settings_.socket));
  ASSERT_TRUE(start().has_value());
  EXPECT_TRUE(client().status().has_value());
}

TEST_F(AdminServerTest, NamesTheFolderThatIsMissing) {
  settings_.socket = folder_.path() / "none" / "admin.sock";
  const auto started = start();
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code(), ErrorCode::ListenFailed);
  EXPECT_EQ(started.error().detail(),
            "cannot listen on " + settings_.socket.string() + ": its folder does not exist");
}

TEST_F(AdminServerTest, AnswersUnavailableWhenTheLoopIsSilentAndSurvivesTheLateReply) {
  settings_.reply_timeout = std::chrono::milliseconds(50);
  loop_.on_loop([this] { service_.is_silent = true; });
  ASSERT_TRUE(start().has_value());
  const auto status = client().status();
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code(), ErrorCode::AdminUnavailable);
  EXPECT_EQ(status.error().detail(), "no answer within 50 ms");
  loop_.on_loop([this] {
    server_.reset();
    for (auto& reply : service_.kept_replies) reply(ApplianceStatus());
  });
}

// In a process of its own, as a user to whom the folder is closed: to root none is.
int exit_code_without_rights(const std::filesystem::path& folder) {
  ::chmod(folder.c_str(), 0);
  constexpr uid_t kNobody = 65534;
  if (::geteuid() == 0 && ::setuid(kNobody) != 0) return 1;
  const auto status = AdminClient(folder / "admin.sock", std::chrono::seconds(20)).status();
  return status.has_value() ? 0 : status.error().exit_code();
}

TEST(AdminClientTest, SaysThatTheUserMayNotAskAndNotThatNobodyAnswers) {
  const TempDir folder;
  EXPECT_EXIT(std::_Exit(exit_code_without_rights(folder.path())), testing::ExitedWithCode(77), "");
  ::chmod(folder.path().c_str(), 0700);
}

TEST_F(AdminServerTest, EndsWaitingCallsWhenItStops) {
  settings_.reply_timeout = std::chrono::minutes(5);
  std::promise<void> kept;
  loop_.on_loop([&] {
    service_.is_silent = true;
    service_.on_kept = [&] { kept.set_value(); };
  });
  ASSERT_TRUE(start().has_value());
  auto call = std::async(std::launch::async, [this] { return client().status(); });
  kept.get_future().wait();
  loop_.on_loop([this] { server_.reset(); });
  const auto status = call.get();
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code(), ErrorCode::AdminUnavailable);
}

// A write to a connection that is gone would end a process that does not expect it.
TEST_F(AdminServerTest, SurvivesAClientThatGoesBeforeItsAnswer) {
  loop_.on_loop([this] {
    service_.is_silent = true;
    service_.present_status.token = std::string(1024 * 1024, 't');
  });
  ASSERT_TRUE(start().has_value());
  for (int i = 0; i < 20; ++i) {
    const UniqueFd fd = connect();
    ASSERT_TRUE(fd);
    constexpr std::string_view kRequest = "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n";
    ASSERT_EQ(::send(fd.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(kRequest.size()));
  }
  loop_.on_loop([this] {
    service_.is_silent = false;
    for (auto& reply : service_.kept_replies) reply(service_.present_status);
  });
  EXPECT_TRUE(client().status().has_value());
}

// Half a request that its client never completes.
constexpr std::string_view kHalf = "GET /v1/status HTTP/1.1\r\nHo";

TEST_F(AdminServerTest, HalfRequestsKeepNobodyOut) {
  settings_.request_timeout = std::chrono::minutes(5);
  ASSERT_TRUE(start().has_value());
  std::vector<UniqueFd> half;
  for (int i = 0; i < 100; ++i) {
    half.push_back(connect());
    ASSERT_TRUE(half.back());
    ::send(half.back().get(), kHalf.data(), kHalf.size(), MSG_NOSIGNAL);
    if (i % 10 == 0) {
      ASSERT_TRUE(client().status().has_value()) << i;
    }
  }
  ASSERT_TRUE(client().add_station("jig-1").has_value());
  EXPECT_TRUE(client().revoke_station("jig-1").has_value());
}

TEST_F(AdminServerTest, HalfARequestIsToldThatItsTimeIsOver) {
  settings_.request_timeout = std::chrono::milliseconds(50);
  ASSERT_TRUE(start().has_value());
  EXPECT_THAT(raw(kHalf), StartsWith("HTTP/1.1 408"));
  EXPECT_THAT(raw("POST /v1/stations HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf"),
              HasSubstr("not complete within 50 ms"));
}

TEST_F(AdminServerTest, AClientThatDoesNotReadItsAnswerIsClosed) {
  settings_.io_timeout = std::chrono::milliseconds(50);
  loop_.on_loop([this] { service_.present_status.token = std::string(4 * 1024 * 1024, 't'); });
  ASSERT_TRUE(start().has_value());
  const UniqueFd slow = connect();
  constexpr std::string_view kRequest = "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n";
  ::send(slow.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL);
  pollfd hung_up{.fd = slow.get(), .events = POLLRDHUP, .revents = 0};
  EXPECT_EQ(::poll(&hung_up, 1, 20'000), 1);
}

TEST_F(AdminServerTest, TooManyCallsOfAUserAreAnsweredBusyAndRevokeStillGetsThrough) {
  settings_.reply_timeout = std::chrono::minutes(5);
  settings_.max_calls_per_user = 6;
  std::promise<void> kept;
  loop_.on_loop([&] {
    service_.names.push_back("jig-1");
    service_.is_silent = true;
    // As many as there are threads: the rest waits behind them.
    service_.on_kept = [&] {
      if (service_.kept_replies.size() == 4) kept.set_value();
    };
  });
  ASSERT_TRUE(start().has_value());
  // Whole requests of six connections, before the next one comes.
  std::vector<UniqueFd> calls;
  for (int i = 0; i < 6; ++i) {
    constexpr std::string_view kRequest = "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n";
    calls.push_back(connect());
    ASSERT_EQ(::send(calls.back().get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(kRequest.size()));
  }
  kept.get_future().wait();
  std::optional<Error> error;
  for (int tries = 0; !error && tries < 100; ++tries) {  // until the last of them is there
    auto busy = AdminClient(settings_.socket, std::chrono::milliseconds(200)).status();
    ASSERT_FALSE(busy.has_value());
    if (busy.error().code() == ErrorCode::AdminBusy) error = busy.error();
  }
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->exit_code(), 75);
  EXPECT_EQ(client().revoke_station("jig-1")->state, StationState::Revoked);
  loop_.on_loop([this] {
    service_.is_silent = false;
    for (auto& reply : service_.kept_replies) reply(service_.present_status);
  });
  for (const UniqueFd& call : calls) {
    std::string head(12, '\0');
    ASSERT_EQ(::recv(call.get(), head.data(), head.size(), MSG_WAITALL), 12);
    EXPECT_EQ(head, "HTTP/1.1 200");
  }
}

TEST_F(AdminServerTest, SaysWhoIsSilentWhenNobodyAnswers) {
  settings_.reply_timeout = std::chrono::minutes(5);
  loop_.on_loop([this] { service_.is_silent = true; });
  ASSERT_TRUE(start().has_value());
  const auto status = AdminClient(settings_.socket, std::chrono::milliseconds(200)).status();
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code(), ErrorCode::AdminUnavailable);
  EXPECT_THAT(status.error().detail(), HasSubstr("connected, but no answer for 0.2 s: "));
  EXPECT_THAT(status.error().detail(), HasSubstr(fmt::format("(pid {})", ::getpid())));
}

TEST_F(AdminServerTest, NamesNobodyWhenTheSilentOneIsOfAnotherNamespace) {
  settings_.reply_timeout = std::chrono::minutes(5);
  loop_.on_loop([this] { service_.is_silent = true; });
  ASSERT_TRUE(start().has_value());
  const test::ForeignPeers in_a_container;
  const auto status = AdminClient(settings_.socket, std::chrono::milliseconds(200)).status();
  ASSERT_FALSE(status.has_value());
  EXPECT_THAT(status.error().detail(), EndsWith("connected, but no answer for 0.2 s"));
}

TEST_F(AdminServerTest, SaysThatTheQueueIsFullWhenNobodyAccepts) {
  UniqueFd deaf = bind_unix_socket(settings_.socket).value();
  ASSERT_EQ(::listen(deaf.get(), 0), 0);
  std::vector<UniqueFd> waiting;
  waiting.push_back(connect());
  const auto status = AdminClient(settings_.socket, std::chrono::milliseconds(200)).status();
  ASSERT_FALSE(status.has_value());
  EXPECT_THAT(status.error().detail(), HasSubstr("cannot connect within 0.2 s"));
}

struct RawCase {
  const char* name;
  std::string request;
  const char* status_line;
  const char* body_part;
};

void PrintTo(const RawCase& raw_case, std::ostream* out) { *out << raw_case.name; }

class AdminServerRaw : public AdminServerTest, public testing::WithParamInterface<RawCase> {};

std::string http(std::string_view method, std::string_view path, std::string_view body) {
  return fmt::format(
      "{} {} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{}", method, path, body.size(), body);
}

TEST_P(AdminServerRaw, AnswersAndGoesOn) {
  ASSERT_TRUE(start().has_value());
  const std::string answer = raw(GetParam().request);
  EXPECT_THAT(answer, StartsWith(std::string("HTTP/1.1 ") + GetParam().status_line));
  EXPECT_THAT(answer, HasSubstr(GetParam().body_part));
  EXPECT_TRUE(client().status().has_value());
}

INSTANTIATE_TEST_SUITE_P(
    AdminServer,
    AdminServerRaw,
    testing::Values(
        RawCase{"Status", http("GET", "/v1/status", ""), "200", "\"version\":\"9.9.9\""},
        RawCase{"UnknownPath", http("GET", "/v1/nothing", ""), "404", "\"name\":\"InputInvalid\""},
        RawCase{"Root", http("GET", "/", ""), "404", "\"code\":903"},
        RawCase{"DeeperPath", http("POST", "/v1/stations/a/b/revoke", ""), "404", "\"code\":903"},
        RawCase{"NoName", http("POST", "/v1/stations//revoke", ""), "404", "\"code\":903"},
        RawCase{"WrongMethod", http("POST", "/v1/status", ""), "405", "Allow: GET"},
        RawCase{"TwoMethods", http("DELETE", "/v1/stations", ""), "405", "Allow: GET, POST"},
        RawCase{"EscapedName",
                http("POST", "/v1/stations/a%20b/revoke", ""),
                "400",
                "\"name\":\"StationNameInvalid\""},
        RawCase{"BadName",
                http("POST", "/v1/stations", R"({"name":"../x"})"),
                "400",
                "\"name\":\"StationNameInvalid\""},
        RawCase{"ClockWithoutBack", http("POST", "/v1/clock/confirm", "{}"), "400", "\"code\":903"},
        RawCase{"NotJson", http("POST", "/v1/stations", "name=x"), "400", "\"code\":903"},
        RawCase{"EmptyBody", http("POST", "/v1/stations", ""), "400", "\"code\":903"},
        RawCase{"BodyTooLong",
                http("POST", "/v1/stations", std::string(AdminServer::kMaxRequestBytes + 1, ' ')),
                "413",
                "more than 65536 bytes"},
        RawCase{"NotFoundByService",
                http("POST", "/v1/stations/none/revoke", ""),
                "404",
                "\"name\":\"StationNotFound\""},
        RawCase{"Chunks",
                "POST /v1/stations HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "400",
                "chunks are not supported"},
        RawCase{"HeadTooLong",
                "GET /v1/status HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n",
                "400",
                "too long"},
        RawCase{"NegativeLength",
                "POST /v1/stations HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                "400",
                "\"code\":903"},
        RawCase{"NotHttp", "hello\r\n\r\n", "400", ""}),
    [](const auto& row) { return std::string(row.param.name); });

// Answered before the body is read: the client must hear why, and not that its write fails.
TEST_F(AdminServerTest, EveryEarlyRefusalIsHeardByWhoSendsALongBody) {
  ASSERT_TRUE(start().has_value());
  const std::string body(1024 * 1024, ' ');
  const std::string long_path = "/" + std::string(20'000, 'x');
  for (const auto& [path, what] : {std::pair<std::string, std::string>("/v1/nothing", "nothing at"),
                                   {"/v1/status", "expected GET"},
                                   {"/v1/stations", "more than 65536 bytes"},
                                   {long_path, "too long"}}) {
    const auto answer = client().exchange("POST", path, body);
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().code(), ErrorCode::InputInvalid) << answer.error().to_string();
    EXPECT_THAT(answer.error().detail(), HasSubstr(what));
  }
}

TEST_F(AdminServerTest, WhoIsTooLateWithARequestIsReadOn) {
  settings_.request_timeout = std::chrono::milliseconds(50);
  ASSERT_TRUE(start().has_value());
  const UniqueFd late = connect();
  pollfd answered{.fd = late.get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&answered, 1, 20'000), 1);
  EXPECT_TRUE(send_all(late, test::kStatusRequest));
  EXPECT_THAT(read_all(late), StartsWith("HTTP/1.1 408"));
}

TEST(AdminClient, SaysThatNobodyIsThere) {
  const auto status = AdminClient("/nonexistent/admin.sock").status();
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code(), ErrorCode::AdminUnavailable);
  EXPECT_EQ(status.error().detail(), "/nonexistent/admin.sock: No such file or directory");
  EXPECT_EQ(status.error().exit_code(), 69);
}

TEST(AdminClient, ChecksTheNameBeforeItGoesIntoAPath) {
  const auto revoked = AdminClient("/nonexistent/admin.sock").revoke_station("a/../b");
  ASSERT_FALSE(revoked.has_value());
  EXPECT_EQ(revoked.error().code(), ErrorCode::StationNameInvalid);
}

}  // namespace
}  // namespace linesign
