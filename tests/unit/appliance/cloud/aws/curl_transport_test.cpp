// libcurl against servers of this test: what goes out, what comes back, and what goes wrong.
#include "appliance/cloud/aws/curl_transport.h"

#include <fcntl.h>

#include <fstream>
#include <future>

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"
#include "tests/unit/appliance/cloud/aws/local_server.h"

namespace linesign::aws {
namespace {

using test::http_answer;
using test::LocalServer;
using test::ServerRequest;

class CurlTransportTest : public ::testing::Test {
 protected:
  static std::unique_ptr<CurlTransport> open(TransportSettings settings = {}) {
    return CurlTransport::create(std::move(settings)).value();
  }
  static HttpRequest get(const LocalServer& server, const std::string& path = "/") {
    HttpRequest request;
    request.url = parse_url("http://127.0.0.1:" + std::to_string(server.port()) + path).value();
    return request;
  }
  static ErrorCode code_of(HttpTransport& transport, const HttpRequest& request) {
    const auto response = transport.send(request);
    return response.has_value() ? ErrorCode::Internal : response.error().code();
  }
  std::filesystem::path write(const std::string& name, const std::string& text) {
    const auto path = dir_.path() / name;
    std::ofstream(path) << text;
    return path;
  }

  TempDir dir_;
};

TEST_F(CurlTransportTest, SendsWhatWasSignedAndNothingElse) {
  std::string head;
  std::string body;
  LocalServer server([&](const ServerRequest& request) {
    head = request.head;
    body = request.body;
    return http_answer(
        201, "made", "Date: Fri, 15 Jan 2027 08:00:00 GMT\r\nX-Two: a\r\nx-two:  b \r\n");
  });
  HttpRequest request = get(server, "/a//b/../c%3A?x=%20y&z=");
  request.method = "POST";
  request.headers = {{"Content-Type", "application/json"}, {"X-Amz-Date", "now"}, {"Empty", ""}};
  request.body = "{}";
  const HttpResponse response = open()->send(request).value();
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.body, "made");
  EXPECT_EQ(response.header("date"), "Fri, 15 Jan 2027 08:00:00 GMT");
  EXPECT_EQ(response.header("x-two"), "a");
  EXPECT_EQ(response.header("none"), "");
  EXPECT_TRUE(head.starts_with("POST /a//b/../c%3A?x=%20y&z= HTTP/1.1\r\n")) << head;
  EXPECT_NE(head.find("Host: 127.0.0.1:" + std::to_string(server.port()) + "\r\n"),
            std::string::npos);
  EXPECT_NE(head.find("Content-Length: 2\r\n"), std::string::npos);
  EXPECT_NE(head.find("X-Amz-Date: now\r\n"), std::string::npos);
  EXPECT_NE(head.find("Empty:\r\n"), std::string::npos);
  EXPECT_NE(head.find("User-Agent: linesign/"), std::string::npos);
  EXPECT_EQ(head.find("Expect:"), std::string::npos);
  EXPECT_EQ(head.find("Accept-Encoding"), std::string::npos);
  EXPECT_EQ(body, "{}");
}

TEST_F(CurlTransportTest, EveryMethodHasTheLengthOfItsBody) {
  std::string head;
  LocalServer server([&](const ServerRequest& request) {
    head = request.head;
    return request.head.starts_with("HEAD") ? "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
                                            : http_answer(200, "");
  });
  const auto transport = open();
  for (const char* method : {"PUT", "POST", "PATCH"}) {
    HttpRequest request = get(server);
    request.method = method;
    ASSERT_TRUE(transport->send(request).has_value());
    EXPECT_TRUE(head.starts_with(method));
    EXPECT_NE(head.find("Content-Length: 0\r\n"), std::string::npos) << head;
    EXPECT_EQ(head.find("Content-Type"), std::string::npos);
  }
  for (const char* method : {"GET", "DELETE", "HEAD"}) {
    HttpRequest request = get(server);
    request.method = method;
    ASSERT_TRUE(transport->send(request).has_value());
    EXPECT_TRUE(head.starts_with(method));
    EXPECT_EQ(head.find("Content-Length"), std::string::npos) << head;
  }
}

TEST_F(CurlTransportTest, SendsAFileAsItIs) {
  const std::string content(3 * 1024 * 1024 + 7, 'x');
  std::string body;
  LocalServer server([&](const ServerRequest& request) {
    body = request.body;
    return http_answer(200, "");
  });
  const UniqueFd fd(::open(write("file", content).c_str(), O_RDONLY | O_CLOEXEC));
  HttpRequest request = get(server);
  request.method = "PUT";
  request.body_file = BodyFile{fd.get(), content.size()};
  const auto transport = open();
  ASSERT_TRUE(transport->send(request).has_value());
  EXPECT_EQ(body, content);
  request.body_file->size_bytes += 1;
  EXPECT_EQ(code_of(*transport, request), ErrorCode::Io);
}

TEST_F(CurlTransportTest, KeepsConnectionsOpen) {
  LocalServer server([](const ServerRequest&) { return http_answer(200, ""); });
  const auto transport = open();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(transport->send(get(server)).has_value());
  EXPECT_EQ(server.connections(), 1);
  HttpRequest request = get(server);
  request.own_connection = true;
  ASSERT_TRUE(transport->send(request).has_value());
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(CurlTransportTest, FollowsNoRedirect) {
  int requests = 0;
  LocalServer server([&](const ServerRequest&) {
    ++requests;
    return http_answer(302, "", "Location: /elsewhere\r\n");
  });
  EXPECT_EQ(open()->send(get(server)).value().status, 302);
  EXPECT_EQ(requests, 1);
}

TEST_F(CurlTransportTest, TakesNoMoreThanItMay) {
  LocalServer server([](const ServerRequest& request) {
    if (request.head.starts_with("GET /headers"))
      return http_answer(200, "", "X: " + std::string(80'000, 'x') + "\r\n");
    return http_answer(200, std::string(1001, 'x'));
  });
  const auto transport = open();
  HttpRequest request = get(server);
  request.max_answer_bytes = 1000;
  EXPECT_EQ(code_of(*transport, request), ErrorCode::AwsAnswerUnreadable);
  request.max_answer_bytes = 1001;
  EXPECT_TRUE(transport->send(request).has_value());
  EXPECT_EQ(code_of(*transport, get(server, "/headers")), ErrorCode::AwsAnswerUnreadable);
}

TEST_F(CurlTransportTest, ASinkTakesTheBodyOfASuccessOnly) {
  LocalServer server([](const ServerRequest& request) {
    return request.head.starts_with("GET /good") ? http_answer(200, std::string(100'000, 'x'))
                                                 : http_answer(403, "<Error/>");
  });
  const auto transport = open();
  std::string taken = "old";
  HttpRequest request = get(server, "/good");
  request.sink = [&](std::string_view piece) -> Result<void> {
    if (piece.empty()) taken.clear();
    taken += piece;
    return {};
  };
  EXPECT_EQ(transport->send(request).value().body, "");
  EXPECT_EQ(taken, std::string(100'000, 'x'));
  request.url.path = "/bad";
  EXPECT_EQ(transport->send(request).value().body, "<Error/>");
  EXPECT_EQ(taken.size(), 100'000U);
  request.url.path = "/good";
  request.sink = [](std::string_view) -> Result<void> { return fail(ErrorCode::Io, "disk full"); };
  EXPECT_EQ(code_of(*transport, request), ErrorCode::Io);
}

TEST_F(CurlTransportTest, TellsWhatWasNeverSentFromWhatMayHaveHadItsEffect) {
  LocalServer server([](const ServerRequest& request) {
    return request.head.starts_with("GET /half")
               ? "HTTP/1.1 200 OK\r\nX: \r\n\r\nhalf"  // no length: until the end of the connection
           : request.head.starts_with("GET /short")
               ? "HTTP/1.1 200 OK\r\nContent-Length : 10\r\nConnection: close\r\n\r\nshort"
               : "";
  });
  const auto transport = open();
  HttpRequest request = get(server, "/gone");
  request.own_connection = true;
  EXPECT_EQ(code_of(*transport, request), ErrorCode::AwsConnectionLost);
  EXPECT_EQ(transport->send(get(server, "/half")).value().body, "half");
  HttpRequest nowhere = get(server);
  nowhere.url.host = "nowhere.invalid";
  EXPECT_EQ(code_of(*transport, nowhere), ErrorCode::AwsUnreachable);
  nowhere.url.host = "127.0.0.1";
  nowhere.url.port = 1;
  EXPECT_EQ(code_of(*transport, nowhere), ErrorCode::AwsUnreachable);
}

TEST_F(CurlTransportTest, WaitsNoLongerThanItMay) {
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  LocalServer server([&](const ServerRequest&) {
    released.wait();
    return std::string();
  });
  HttpRequest request = get(server);
  request.timeouts.total = std::chrono::milliseconds(50);
  EXPECT_EQ(code_of(*open(), request), ErrorCode::AwsTimeout);
  release.set_value();
}

TEST_F(CurlTransportTest, ManyThreadsSendAtTheSameTime) {
  LocalServer server([](const ServerRequest& request) { return http_answer(200, request.body); });
  const auto transport = open();
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < 20; ++j) {
        HttpRequest request = get(server);
        request.method = "POST";
        request.body = std::to_string(i * 100 + j);
        const auto response = transport->send(request);
        if (response.has_value() && response->body == request.body) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 160);
  EXPECT_LE(server.connections(), 8);
}

TEST_F(CurlTransportTest, CancelEndsWhatRunsAndWhatComes) {
  std::promise<void> arrived;
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  LocalServer server([&](const ServerRequest&) {
    arrived.set_value();
    released.wait();
    return std::string();
  });
  const auto transport = open();
  ErrorCode running = ErrorCode::Internal;
  std::thread sender([&] { running = code_of(*transport, get(server)); });
  arrived.get_future().wait();
  transport->cancel();
  sender.join();
  EXPECT_EQ(running, ErrorCode::Interrupted);
  EXPECT_EQ(code_of(*transport, get(server)), ErrorCode::Interrupted);
  release.set_value();
}

TEST_F(CurlTransportTest, ProxiesAreAskedUnlessTheyAreNotFor) {
  std::string head;
  LocalServer proxy([&](const ServerRequest& request) {
    head = request.head;
    return http_answer(200, "proxy");
  });
  TransportSettings settings;
  settings.proxies.for_http = "http://user:secret@127.0.0.1:" + std::to_string(proxy.port());
  settings.proxies.for_https = "http://127.0.0.1:1";
  settings.proxies.none_for = ".direct.invalid";
  const auto transport = open(settings);
  HttpRequest request;
  request.url = parse_url("http://iot.invalid/x").value();
  EXPECT_EQ(transport->send(request).value().body, "proxy");
  EXPECT_TRUE(head.starts_with("GET http://iot.invalid/x HTTP/1.1\r\n")) << head;
  EXPECT_NE(head.find("Proxy-Authorization: Basic"), std::string::npos);
  request.direct = true;
  EXPECT_EQ(code_of(*transport, request), ErrorCode::AwsUnreachable);
  request.direct = false;
  request.url.host = "a.direct.invalid";
  EXPECT_EQ(code_of(*transport, request), ErrorCode::AwsUnreachable);
  // A proxy that does not let us through has not passed anything on.
  request.url = parse_url("https://iot.invalid/x").value();
  const auto refused = transport->send(request);
  EXPECT_EQ(refused.error().code(), ErrorCode::AwsUnreachable);
  EXPECT_EQ(refused.error().detail().find("secret"), std::string::npos);
  // This machine is never asked for through a proxy.
  LocalServer here([](const ServerRequest&) { return http_answer(200, "here"); });
  EXPECT_EQ(transport->send(get(here)).value().body, "here");
}

TEST_F(CurlTransportTest, AProxyThatWantsAnotherLoginIsASetting) {
  LocalServer proxy([](const ServerRequest&) {
    return http_answer(407, "", "Proxy-Authenticate: Basic realm=\"x\"\r\n");
  });
  TransportSettings settings;
  settings.proxies.for_https = "http://user:secret@127.0.0.1:" + std::to_string(proxy.port());
  HttpRequest request;
  request.url = parse_url("https://iot.invalid/x").value();
  const auto refused = open(settings)->send(request);
  EXPECT_EQ(refused.error().code(), ErrorCode::AwsSettings);
  EXPECT_EQ(refused.error().detail().find("secret"), std::string::npos);
}

// --- TLS

class CurlTlsTest : public CurlTransportTest {
 protected:
  HttpRequest get_tls(const LocalServer& server, const std::string& host = "localhost") {
    HttpRequest request;
    request.url = parse_url("https://" + host + ":" + std::to_string(server.port()) + "/").value();
    return request;
  }
  TransportSettings trusting(const std::string& pem) {
    TransportSettings settings;
    settings.ca_bundle = write("bundle.pem", pem);
    return settings;
  }
  const linesign::test::TlsTestCa ca_;
  const linesign::test::TlsLeaf leaf_ =
      ca_.issue({.common_name = "localhost", .dns_name = "localhost", .purpose = "serverAuth"});
  LocalServer server_{[](const ServerRequest&) { return http_answer(200, "safe"); }, &leaf_};
};

TEST_F(CurlTlsTest, TheBundleSaysWhoIsTrusted) {
  EXPECT_EQ(open(trusting(ca_.pem()))->send(get_tls(server_)).value().body, "safe");
  EXPECT_EQ(code_of(*open(), get_tls(server_)), ErrorCode::AwsNotTrusted);
  const linesign::test::TlsTestCa other("Another CA");
  EXPECT_EQ(code_of(*open(trusting(other.pem())), get_tls(server_)), ErrorCode::AwsNotTrusted);
}

TEST_F(CurlTlsTest, TheNameMustBeTheServers) {
  EXPECT_EQ(code_of(*open(trusting(ca_.pem())), get_tls(server_, "127.0.0.1")),
            ErrorCode::AwsNotTrusted);
}

TEST_F(CurlTlsTest, ACertificateThatHasEndedIsNotTrusted) {
  const auto old = ca_.issue({.common_name = "localhost",
                              .dns_name = "localhost",
                              .purpose = "serverAuth",
                              .first_day = -10,
                              .last_day = -1});
  LocalServer server([](const ServerRequest&) { return http_answer(200, ""); }, &old);
  EXPECT_EQ(code_of(*open(trusting(ca_.pem())), get_tls(server)), ErrorCode::AwsNotTrusted);
}

TEST_F(CurlTlsTest, AServerWithoutTlsIsNotReached) {
  LocalServer plain([](const ServerRequest&) { return std::string(); });
  HttpRequest request = get_tls(plain);
  request.timeouts.total = std::chrono::milliseconds(200);
  EXPECT_EQ(code_of(*open(), request), ErrorCode::AwsUnreachable);
}

TEST_F(CurlTlsTest, ABundleThatCannotBeReadIsASetting) {
  TransportSettings settings;
  settings.ca_bundle = dir_.path() / "none.pem";
  EXPECT_EQ(CurlTransport::create(settings).error().code(), ErrorCode::AwsSettings);
  EXPECT_EQ(code_of(*open(trusting("no certificate")), get_tls(server_)), ErrorCode::AwsSettings);
}

}  // namespace
}  // namespace linesign::aws
