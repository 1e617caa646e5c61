// TCP: the sockets under the stations' port: non-blocking, close-on-exec, no delay, keep-alive.
//
// Errors   ListenFailed with address and reason
// Threads  no state
// Source   addresses, bind and listen are Poco::Net's; accept4() is called directly, because Poco's
//          accept leaves a moment in which a signer process that is just started inherits the
//          socket
#ifndef LINESIGN_STATIONS_TRANSPORT_TCP_H_
#define LINESIGN_STATIONS_TRANSPORT_TCP_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"
#include "protocol/base/unique_fd.h"

namespace linesign {

// `address` is host:port or [v6]:port. "[::]" takes IPv4 too. Port 0 = any free one.
Result<UniqueFd> listen_tcp(const std::string& address);

// The port that a listening socket was given.
Result<uint16_t> local_port(int fd);

enum class AcceptEnd : uint8_t {
  NobodyWaits,  // wait for readiness
  TryNext,      // this one went away; call again
  NoResources,  // out of descriptors or memory: pause, or the level-triggered loop spins
};
tl::expected<UniqueFd, AcceptEnd> accept_tcp(int listening_fd);

// How a read or write on a non-blocking socket ended.
enum class SocketState : uint8_t { Fine, WouldBlock, Closed };
struct Transfer {
  SocketState state = SocketState::Fine;
  size_t bytes = 0;
};
Transfer read_socket(int fd, std::span<uint8_t> into);
Transfer write_socket(int fd, ByteView from);  // never raises SIGPIPE

// The other side's host without its port; "unknown" if it is gone.
std::string peer_host(int fd);

// Whom connections are counted for: an IPv4 address, or the first half of an IPv6 address, because
// one host may have all that begin so. Of one that is gone: zeros.
using SourceAddress = std::array<uint8_t, 8>;
SourceAddress peer_source(int fd);

// The other side has closed or reset the connection, also behind bytes that were not read yet.
bool is_hung_up(int fd);

}  // namespace linesign

#endif  // LINESIGN_STATIONS_TRANSPORT_TCP_H_
