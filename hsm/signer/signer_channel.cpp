#include "hsm/signer/signer_channel.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include <fmt/format.h>

#include "protocol/base/file.h"
#include "protocol/base/process.h"

namespace linesign {

Result<SignerChannel> SignerChannel::open(UniqueFd socket) {
  int type = 0;
  socklen_t size = sizeof(type);
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &size) != 0)
    return fail(ErrorCode::Usage, fmt::format("--fd {}: {}", socket.get(), errno_text(errno)));
  if (type != SOCK_SEQPACKET)
    return fail(ErrorCode::Usage,
                fmt::format("--fd {}: not a SOCK_SEQPACKET socket", socket.get()));
  // This end waits in recv(), whatever whoever made it has set.
  const int flags = ::fcntl(socket.get(), F_GETFL);
  if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags & ~O_NONBLOCK) != 0 ||
      ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC) != 0)
    return fail(ErrorCode::Internal, "fcntl: " + errno_text(errno));
  return SignerChannel(std::move(socket));
}

Result<std::optional<ByteView>> SignerChannel::receive(Bytes& buffer) const {
  buffer.resize(kMaxSignerPacketBytes);
  iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  ssize_t got = ::recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR) got = ::recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC);
  if (got == 0 || (got < 0 && errno == ECONNRESET)) return std::optional<ByteView>();
  if (got < 0) return fail(ErrorCode::SignerProtocol, "recvmsg: " + errno_text(errno));
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
    return fail(ErrorCode::SignerProtocol, "a packet is longer than allowed");
  return std::optional<ByteView>(ByteView(buffer.data(), static_cast<size_t>(got)));
}

bool SignerChannel::wait_for_end(std::chrono::milliseconds time) const {
  pollfd end{.fd = socket_.get(), .events = POLLIN | POLLRDHUP, .revents = 0};
  return ::poll(&end, 1, static_cast<int>(time.count())) == 1;
}

std::optional<int> SignerChannel::peer() const { return peer_process(socket_.get()); }

Result<void> SignerChannel::send(const signer::v1::FromSigner& message) const {
  const size_t size = message.ByteSizeLong();
  if (size > kMaxSignerPacketBytes)
    return fail(ErrorCode::SignerProtocol, "an answer is longer than allowed");
  Bytes packet(size);
  message.SerializeWithCachedSizesToArray(packet.data());
  while (::send(socket_.get(), packet.data(), packet.size(), MSG_NOSIGNAL) < 0) {
    if (errno == EINTR) continue;
    return fail(ErrorCode::ConnectionClosed, "send: " + errno_text(errno));
  }
  return {};
}

}  // namespace linesign
