#include "stations/transport/tcp.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include <Poco/Exception.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/SocketAddress.h>
#include <fmt/format.h>

#include "protocol/base/file.h"

namespace linesign {
namespace {

// For a hall that comes back at once, also while a flood fills the queue; the kernel may allow
// less.
constexpr int kBacklog = 4096;
// A station whose cable was pulled is found after about two minutes.
constexpr int kKeepIdleSeconds = 60;
constexpr int kKeepIntervalSeconds = 15;
constexpr int kKeepProbes = 4;

void set_option(int fd, int level, int option, int value) {
  // None of these can fail on a TCP socket; a refusal would only cost latency.
  (void)::setsockopt(fd, level, option, &value, sizeof value);
}

tl::unexpected<Error> listen_failure(const std::string& address, std::string_view why) {
  return fail(ErrorCode::ListenFailed, fmt::format("cannot listen on {}: {}", address, why));
}

std::string why_not_listening(const Poco::Exception& exception) {
  switch (exception.code()) {
    case EADDRINUSE:
      return "another program uses this port; stop it, or choose another port";
    case EACCES:
      return "this user may not use the port; ports below 1024 need CAP_NET_BIND_SERVICE";
    case EADDRNOTAVAIL:
      return "this machine has no such address; list its addresses with `ip address`";
    default:
      return exception.code() > 0 ? errno_text(exception.code()) : exception.displayText();
  }
}

// Poco's socket closes its descriptor when it goes, so ours is a duplicate.
Result<UniqueFd> bind_and_listen(const std::string& address) {
  const Poco::Net::SocketAddress parsed(address);
  Poco::Net::ServerSocket socket;
  constexpr bool kReuseAddress = true;
  constexpr bool kReusePort = false;  // a second daemon on the port must fail
  if (parsed.family() == Poco::Net::SocketAddress::IPv6) {
    socket.bind6(parsed, kReuseAddress, kReusePort, false);
  } else {
    socket.bind(parsed, kReuseAddress, kReusePort);
  }
  socket.listen(kBacklog);
  socket.setBlocking(false);
  UniqueFd fd(::fcntl(socket.impl()->sockfd(), F_DUPFD_CLOEXEC, 0));
  if (!fd) return listen_failure(address, errno_text(errno));
  return fd;
}

bool is_lack_of_resources(int error_number) {
  return error_number == EMFILE || error_number == ENFILE || error_number == ENOBUFS ||
         error_number == ENOMEM;
}

Transfer finish(ssize_t result) {
  if (result >= 0) return {SocketState::Fine, static_cast<size_t>(result)};
  const bool would_block = errno == EAGAIN || errno == EWOULDBLOCK;
  return {would_block ? SocketState::WouldBlock : SocketState::Closed, 0};
}

}  // namespace

Result<UniqueFd> listen_tcp(const std::string& address) {
  try {
    return bind_and_listen(address);
  } catch (const Poco::Net::DNSException&) {
    return listen_failure(address, "this host name cannot be resolved here");
  } catch (const Poco::Exception& exception) {
    return listen_failure(address, why_not_listening(exception));
  }
}

Result<uint16_t> local_port(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return fail(ErrorCode::ListenFailed, "getsockname: " + errno_text(errno));
  const in_port_t port = address.ss_family == AF_INET6
                             ? reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port
                             : reinterpret_cast<const sockaddr_in*>(&address)->sin_port;
  return static_cast<uint16_t>(ntohs(port));
}

tl::expected<UniqueFd, AcceptEnd> accept_tcp(int listening_fd) {
  UniqueFd fd(::accept4(listening_fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return tl::unexpected(AcceptEnd::NobodyWaits);
    if (is_lack_of_resources(errno)) return tl::unexpected(AcceptEnd::NoResources);
    return tl::unexpected(AcceptEnd::TryNext);  // ECONNABORTED, EINTR, network errors: accept(2)
  }
  set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd.get(), SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE, kKeepIdleSeconds);
  set_option(fd.get(), IPPROTO_TCP, TCP_KEEPINTVL, kKeepIntervalSeconds);
  set_option(fd.get(), IPPROTO_TCP, TCP_KEEPCNT, kKeepProbes);
  return fd;
}

Transfer read_socket(int fd, std::span<uint8_t> into) {
  for (;;) {
    const ssize_t got = ::recv(fd, into.data(), into.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) return {SocketState::Closed, 0};
    return finish(got);
  }
}

Transfer write_socket(int fd, ByteView from) {
  for (;;) {
    const ssize_t sent = ::send(fd, from.data(), from.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    return finish(sent);
  }
}

std::string peer_host(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (::getpeername(fd, generic, &size) != 0) return "unknown";
  try {
    return Poco::Net::SocketAddress(generic, size).host().toString();
  } catch (const Poco::Exception&) {
    return "unknown";  // of a family that it does not know
  }
}

SourceAddress peer_source(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  SourceAddress source{};
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return source;
  if (address.ss_family == AF_INET) {
    const in_addr& v4 = reinterpret_cast<const sockaddr_in*>(&address)->sin_addr;
    std::memcpy(source.data(), &v4, sizeof v4);
    return source;
  }
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr;
  const bool is_v4 = IN6_IS_ADDR_V4MAPPED(&v6) != 0;
  std::memcpy(source.data(), &v6.s6_addr[is_v4 ? 12 : 0], is_v4 ? 4 : source.size());
  return source;
}

bool is_hung_up(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return true;
  return info.tcpi_state != TCP_ESTABLISHED;
}

}  // namespace linesign
