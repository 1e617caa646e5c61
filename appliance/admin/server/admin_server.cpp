#include "appliance/admin/server/admin_server.h"

#include <fcntl.h>

#include <cerrno>
#include <optional>

#include <Poco/Exception.h>
#include <Poco/Net/HTTPServer.h>
#include <Poco/Net/HTTPServerParams.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/SocketAddress.h>
#include <Poco/Net/TCPServer.h>
#include <Poco/ThreadPool.h>
#include <fmt/format.h>

#include "appliance/admin/server/admin_handler.h"
#include "appliance/admin/server/loop_bridge.h"
#include "appliance/admin/server/unix_socket.h"
#include "protocol/base/file.h"

namespace linesign {
namespace {

constexpr mode_t kSocketMode = 0660;  // the service's user and the operators' group

// Poco makes its sockets without SOCK_CLOEXEC.
void close_on_exec(const Poco::Net::Socket& socket) {
  static_cast<void>(::fcntl(socket.impl()->sockfd(), F_SETFD, FD_CLOEXEC));  // never fails
}

// Sees each connection before it is served.
class CloseOnExec final : public Poco::Net::TCPServerConnectionFilter {
 public:
  bool accept(const Poco::Net::StreamSocket& socket) override {
    close_on_exec(socket);
    return true;
  }
};

Poco::Timespan to_timespan(std::chrono::milliseconds duration) {
  return Poco::Timespan(std::chrono::microseconds(duration).count());
}

Poco::Net::HTTPServerParams::Ptr make_parameters(const AdminServerSettings& settings) {
  Poco::Net::HTTPServerParams::Ptr parameters = Poco::makeAuto<Poco::Net::HTTPServerParams>();
  parameters->setMaxThreads(settings.threads);
  parameters->setMaxQueued(settings.max_waiting);
  parameters->setTimeout(to_timespan(settings.io_timeout));
  parameters->setKeepAlive(false);
  return parameters;
}

std::string why(const Poco::Exception& exception) {
  switch (exception.code()) {
    case EACCES:
    case EPERM:
      return "this user may not create files in its folder";
    case ENOENT:
      return "its folder does not exist";
    case EADDRINUSE:
      return "another program has just made it";
    default:
      return exception.code() > 0 ? errno_text(exception.code()) : exception.displayText();
  }
}

}  // namespace

class AdminServer::Implementation final {
 public:
  Implementation(EventLoop& loop, AdminService& service, const AdminServerSettings& settings)
      : settings_(settings),
        bridge_(loop, service, settings.reply_timeout),
        threads_("admin", 1, settings.threads) {}
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;

  ~Implementation() {
    bridge_.close();
    if (server_.has_value()) stop(*server_);
  }

  Result<void> start() {
    LS_CHECK(remove_stale_socket(settings_.socket));
    try {
      Poco::Net::ServerSocket socket;
      socket.bind(Poco::Net::SocketAddress(Poco::Net::SocketAddress::UNIX_LOCAL,
                                           settings_.socket.string()));
      close_on_exec(socket);
      // Nobody can connect between bind() and listen(), so the mode is right from the first moment.
      LS_TRY(SocketFile file, SocketFile::take(settings_.socket, kSocketMode));
      file_.emplace(std::move(file));
      socket.listen(settings_.max_waiting);
      auto& server = server_.emplace(
          make_admin_handlers(bridge_), threads_, socket, make_parameters(settings_));
      server.setConnectionFilter(std::make_unique<CloseOnExec>().release());  // it counts
      server.start();
    } catch (const Poco::Exception& exception) {
      return fail(
          ErrorCode::ListenFailed,
          fmt::format("cannot listen on {}: {}", settings_.socket.string(), why(exception)));
    }
    return {};
  }

 private:
  void stop(Poco::Net::HTTPServer& server) {
    try {
      server.stopAll(true);
      threads_.joinAll();
    } catch (const Poco::Exception&) {
      // A connection that is gone already; the threads end with the pool at the latest.
    }
  }

  AdminServerSettings settings_;
  LoopBridge bridge_;
  Poco::ThreadPool threads_;
  std::optional<SocketFile> file_;
  std::optional<Poco::Net::HTTPServer> server_;
};

Result<std::unique_ptr<AdminServer>> AdminServer::start(EventLoop& loop,
                                                        AdminService& service,
                                                        const AdminServerSettings& settings) {
  auto implementation = std::make_unique<Implementation>(loop, service, settings);
  LS_CHECK(implementation->start());
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(implementation)));
}

AdminServer::AdminServer(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}

AdminServer::~AdminServer() = default;

}  // namespace linesign
