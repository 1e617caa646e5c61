#include "stations/client/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <optional>
#include <vector>

#include <Poco/Exception.h>
#include <Poco/Net/DNS.h>
#include <Poco/Net/HostEntry.h>
#include <Poco/Net/SocketAddress.h>
#include <fmt/format.h>
#include <net/if.h>

#include "protocol/base/file.h"
#include "stations/transport/tcp.h"

namespace linesign::client {
namespace {

struct Endpoint {
  std::string host;
  uint16_t port = 0;
};

std::optional<Endpoint> parse_endpoint(std::string_view address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return {};
  std::string_view host = address.substr(0, colon);
  const std::string_view digits = address.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string_view::npos)
    return {};
  Endpoint endpoint;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), endpoint.port);
  if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) return {};
  if (host.empty() || endpoint.port == 0) return {};
  endpoint.host = host;
  return endpoint;
}

// A link-local address means something only together with an interface of this machine.
Result<void> check_scope(const std::string& address, std::string_view host) {
  Poco::Net::IPAddress unscoped;
  const size_t percent = host.find('%');
  const bool is_ip = Poco::Net::IPAddress::tryParse(std::string(host.substr(0, percent)), unscoped);
  if (!is_ip || unscoped.family() != Poco::Net::IPAddress::IPv6) return {};
  if (percent == std::string_view::npos) {
    if (!unscoped.isLinkLocal()) return {};
    return fail(ErrorCode::ConnectFailed,
                fmt::format("{}: a link-local address needs the network interface of this machine: "
                            "[{}%eth0]",
                            address,
                            host));
  }
  const std::string name(host.substr(percent + 1));
  if (::if_nametoindex(name.c_str()) != 0) return {};
  return fail(ErrorCode::ConnectFailed,
              fmt::format("{}: this machine has no network interface '{}'", address, name));
}

Result<std::vector<Poco::Net::SocketAddress>> resolve(const std::string& address) {
  const auto endpoint = parse_endpoint(address);
  if (!endpoint) return fail(ErrorCode::ConnectFailed, address + ": not host:port");
  LS_CHECK(check_scope(address, endpoint->host));
  try {
    std::vector<Poco::Net::SocketAddress> found;
    Poco::Net::IPAddress ip;
    // DNS::resolve() would look up the name of an address, and fail where there is no DNS.
    if (Poco::Net::IPAddress::tryParse(endpoint->host, ip)) {
      found.emplace_back(ip, endpoint->port);
      return found;
    }
    const Poco::Net::HostEntry host = Poco::Net::DNS::hostByName(endpoint->host);
    for (const auto& each : host.addresses()) found.emplace_back(each, endpoint->port);
    if (found.empty()) return fail(ErrorCode::ConnectFailed, address + ": no such host");
    return found;
  } catch (const Poco::Exception& exception) {
    return fail(ErrorCode::ConnectFailed, address + ": " + exception.displayText());
  }
}

void set_option(int fd, int level, int name, int value) {
  // Only about speed and early detection; a socket without them still works.
  static_cast<void>(::setsockopt(fd, level, name, &value, sizeof value));
}

Result<UniqueFd> connect_to(const Poco::Net::SocketAddress& address,
                            SteadyTime deadline,
                            int cancel_fd) {
  UniqueFd fd(::socket(address.af(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail(ErrorCode::ConnectFailed, errno_text(errno));
  if (::connect(fd.get(), address.addr(), address.length()) != 0 && errno != EINPROGRESS)
    return fail(ErrorCode::ConnectFailed, address.toString() + ": " + errno_text(errno));
  LS_TRY(const bool is_ready, wait_for(fd.get(), POLLOUT, deadline, cancel_fd));
  if (!is_ready) return fail(ErrorCode::ConnectFailed, address.toString() + ": no answer in time");
  int error_number = 0;
  socklen_t length = sizeof error_number;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error_number, &length) != 0)
    error_number = errno;
  if (error_number != 0)
    return fail(ErrorCode::ConnectFailed, address.toString() + ": " + errno_text(error_number));
  set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd.get(), SOL_SOCKET, SO_KEEPALIVE, 1);
  return fd;
}

int milliseconds_until(SteadyTime deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, 24 * 3600 * 1000));
}

}  // namespace

Result<bool> wait_for(int fd, short events, SteadyTime deadline, int cancel_fd) {
  for (;;) {
    std::array<pollfd, 2> waiting = {pollfd{fd, events, 0}, pollfd{cancel_fd, POLLIN, 0}};
    const int ready = ::poll(waiting.data(), waiting.size(), milliseconds_until(deadline));
    if (ready < 0 && errno != EINTR) return fail(ErrorCode::Internal, "poll: " + errno_text(errno));
    if (ready > 0 && waiting[1].revents != 0) return fail(ErrorCode::Interrupted);
    if (ready > 0) return true;
    if (ready == 0 && std::chrono::steady_clock::now() >= deadline) return false;
  }
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& address,
                                                     const TlsContext& context,
                                                     SteadyTime deadline,
                                                     int cancel_fd) {
  LS_TRY(const auto endpoints, resolve(address));
  Result<UniqueFd> fd = fail(ErrorCode::ConnectFailed);
  for (const auto& endpoint : endpoints) {
    fd = connect_to(endpoint, deadline, cancel_fd);
    if (fd.has_value() || fd.error().code() == ErrorCode::Interrupted) break;
  }
  if (!fd.has_value()) return fail(std::move(fd).error());
  LS_TRY(auto engine, TlsEngine::create(context));
  std::unique_ptr<Connection> connection(
      new Connection(std::move(fd).value(), std::move(engine), cancel_fd));
  auto shaken = connection->shake_hands(deadline);
  if (!shaken.has_value()) return fail(shaken.error().with_context(address));
  return connection;
}

Result<void> Connection::shake_hands(SteadyTime deadline) {
  Bytes early;  // nothing: the appliance speaks only after Hello
  while (!engine_->is_open()) {
    LS_TRY(const bool is_readable, wait(deadline));
    if (!is_readable) return fail(ErrorCode::ConnectFailed, "no TLS handshake in time");
    LS_CHECK(receive(early));
  }
  flush();
  if (!early.empty()) return fail(ErrorCode::FrameMalformed, "the appliance spoke first");
  verified_ca_ = engine_->verified_ca();
  return {};
}

Result<void> Connection::send(ByteView plaintext) {
  LS_CHECK(engine_->send(plaintext));
  flush();
  return {};
}

void Connection::flush() {
  while (!engine_->output().empty()) {
    const Transfer written = write_socket(fd_.get(), engine_->output());
    if (written.state == SocketState::WouldBlock) return;
    // The reason, a Goodbye or an alert, may still wait to be read; receive() reports the end.
    if (written.state == SocketState::Closed) {
      engine_->drop_output(engine_->output().size());
      return;
    }
    engine_->drop_output(written.bytes);
  }
}

Result<void> Connection::receive(Bytes& plaintext) {
  constexpr size_t kReadBytes = 64 * 1024;
  constexpr int kMaxReads = 16;  // then let the caller work
  const size_t size_before = plaintext.size();
  std::array<uint8_t, kReadBytes> buffer;
  for (int i = 0; i < kMaxReads && !is_ended_; ++i) {
    const Transfer got = read_socket(fd_.get(), buffer);
    if (got.state == SocketState::WouldBlock) break;
    if (got.state == SocketState::Closed) {
      is_ended_ = true;
      break;
    }
    const auto decrypted = engine_->receive(ByteView(buffer).first(got.bytes), plaintext);
    flush();  // the next step of the handshake, or an alert
    LS_CHECK(decrypted);
    if (engine_->is_peer_closed()) is_ended_ = true;
    if (got.bytes < buffer.size()) break;
  }
  if (is_ended_ && plaintext.size() == size_before) return fail(ErrorCode::ConnectionClosed);
  return {};
}

Result<bool> Connection::wait(SteadyTime deadline) {
  if (is_ended_) return true;
  for (;;) {
    flush();
    const bool wants_write = has_unsent();
    const short events = wants_write ? POLLIN | POLLOUT : POLLIN;
    LS_TRY(const bool is_ready, wait_for(fd_.get(), events, deadline, cancel_fd_));
    if (!is_ready) return false;
    // Writable only: send on and wait again.
    if (!wants_write) return true;
    LS_TRY(const bool is_readable, wait_for(fd_.get(), POLLIN, SteadyTime::min(), cancel_fd_));
    if (is_readable) return true;
  }
}

void Connection::close() {
  engine_->close();
  flush();
}

}  // namespace linesign::client
