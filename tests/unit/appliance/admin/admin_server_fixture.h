// An admin server on a socket of its own, with a service that a test controls.
#ifndef LINESIGN_TESTS_UNIT_APPLIANCE_ADMIN_ADMIN_SERVER_FIXTURE_H_
#define LINESIGN_TESTS_UNIT_APPLIANCE_ADMIN_ADMIN_SERVER_FIXTURE_H_

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "appliance/admin/client/admin_client.h"
#include "appliance/admin/server/admin_server.h"
#include "protocol/base/unique_fd.h"
#include "tests/support/fake_admin_service.h"
#include "tests/support/loop_thread.h"
#include "tests/support/temp_dir.h"

namespace linesign::test {

constexpr std::string_view kStatusRequest = "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n";

class AdminServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    settings_.socket = folder_.path() / "admin.sock";
    service_.present_status.version = "9.9.9";
    service_.present_status.producing = true;
  }

  void TearDown() override {
    loop_.on_loop([this] { server_.reset(); });
  }

  Result<void> start() {
    Result<void> result;
    loop_.on_loop([&] {
      auto server = AdminServer::start(loop_.loop(), service_, settings_);
      if (server.has_value()) {
        server_ = std::move(*server);
      } else {
        result = fail(server.error());
      }
    });
    return result;
  }

  AdminClient client() const { return AdminClient(settings_.socket, std::chrono::seconds(20)); }

  // `is_named`: as another user, where the server is told so by user_by_name().
  UniqueFd connect(bool is_named = false) const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = settings_.socket.string();
    std::copy(name.begin(), name.end(), address.sun_path);
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval limit{.tv_sec = 20, .tv_usec = 0};  // a server that is silent hangs no test
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const sockaddr_un any{.sun_family = AF_UNIX, .sun_path = {}};
    if (is_named)
      static_cast<void>(
          ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any.sun_family));
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      return {};
    return fd;
  }

  // A client that gave its socket a name is user 1, all others are user 0.
  static std::optional<uid_t> user_by_name(int socket) {
    sockaddr_un address{};
    socklen_t size = sizeof address;
    if (::getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
    return size > sizeof address.sun_family ? 1 : 0;
  }

  static bool send_all(const UniqueFd& fd, std::string_view bytes) {
    return ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }

  // Everything that comes until the server closes.
  static std::string read_all(const UniqueFd& fd) {
    std::string answer;
    std::string part(4096, '\0');
    for (;;) {
      const ssize_t got = ::read(fd.get(), part.data(), part.size());
      if (got <= 0) return answer;
      answer.append(part, 0, static_cast<size_t>(got));
    }
  }

  // Sends bytes and returns everything that comes back until the server closes.
  std::string raw(std::string_view request) const {
    const UniqueFd fd = connect();
    if (!fd) return "(cannot connect)";
    while (!request.empty()) {
      const ssize_t sent = ::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL);
      if (sent <= 0) break;
      request.remove_prefix(static_cast<size_t>(sent));
    }
    return read_all(fd);
  }

  TempDir folder_;
  AdminServerSettings settings_;
  FakeAdminService service_;
  LoopThread loop_;
  std::unique_ptr<AdminServer> server_;
};

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_UNIT_APPLIANCE_ADMIN_ADMIN_SERVER_FIXTURE_H_
