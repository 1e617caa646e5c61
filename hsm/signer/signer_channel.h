// SignerChannel: packets between linesignd and this signer.
//
// Limits   kMaxSignerPacketBytes; a longer packet is SignerProtocol, noticed by MSG_TRUNC
// Errors   SignerProtocol; ConnectionClosed when linesignd is gone while something is sent
// Threads  send and receive may be called from any thread; a packet is one message
#ifndef LINESIGN_HSM_SIGNER_SIGNER_CHANNEL_H_
#define LINESIGN_HSM_SIGNER_SIGNER_CHANNEL_H_

#include <chrono>
#include <optional>

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"
#include "protocol/base/unique_fd.h"
#include "protocol/signer.pb.h"

namespace linesign {

constexpr size_t kMaxSignerPacketBytes = 256UL * 1024;

class SignerChannel final {
 public:
  // Insists on a connected SOCK_SEQPACKET socket.
  static Result<SignerChannel> open(UniqueFd socket);

  // The packet, in `buffer`; absent at the end: linesignd closed the socket.
  Result<std::optional<ByteView>> receive(Bytes& buffer) const;
  Result<void> send(const signer::v1::FromSigner& message) const;

  // True: linesignd closed the socket within the time. It sends nothing in this state.
  bool wait_for_end(std::chrono::milliseconds time) const;

  // The process that made the socket pair: linesignd.
  std::optional<int> peer() const;

 private:
  explicit SignerChannel(UniqueFd socket) : socket_(std::move(socket)) {}
  UniqueFd socket_;
};

}  // namespace linesign

#endif  // LINESIGN_HSM_SIGNER_SIGNER_CHANNEL_H_
