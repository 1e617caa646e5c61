// Connection: TLS over TCP as a station needs it: connects with a deadline, then carries plaintext
// both ways without ever blocking except in wait().
//
// Errors   ConnectFailed, ConnectionClosed, TlsFailed, PeerNotTrusted, Interrupted
// Threads  one thread at a time
#ifndef LINESIGN_STATIONS_CLIENT_CONNECTION_H_
#define LINESIGN_STATIONS_CLIENT_CONNECTION_H_

#include <memory>
#include <string>

#include "protocol/base/bytes.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "protocol/base/unique_fd.h"
#include "stations/transport/tls_engine.h"

namespace linesign::client {

inline SteadyTime steady_now() { return std::chrono::steady_clock::now(); }

// Waits until `fd` is ready for `events` of poll(2) or the time has come: true, false. A negative
// `fd` only waits. Interrupted when `cancel_fd` (if not negative) becomes readable.
Result<bool> wait_for(int fd, short events, SteadyTime deadline, int cancel_fd);

class Connection final {
 public:
  // Resolves host:port or [v6]:port, tries every address, and finishes the handshake.
  static Result<std::unique_ptr<Connection>> open(const std::string& address,
                                                  const TlsContext& context,
                                                  SteadyTime deadline,
                                                  int cancel_fd);

  // Encrypts; what the socket does not take at once stays for flush().
  Result<void> send(ByteView plaintext);
  void flush();
  bool has_unsent() const { return !engine_->output().empty(); }

  // Appends what has arrived. An end of the connection is reported once nothing else is left.
  Result<void> receive(Bytes& plaintext);

  // Until something can be read, sending what can be sent meanwhile: true; false at the deadline.
  Result<bool> wait(SteadyTime deadline);

  int descriptor() const { return fd_.get(); }
  ByteView verified_ca() const { return verified_ca_; }

  // Says goodbye to TLS, as far as the socket takes it.
  void close();

 private:
  Connection(UniqueFd fd, std::unique_ptr<TlsEngine> engine, int cancel_fd)
      : fd_(std::move(fd)), engine_(std::move(engine)), cancel_fd_(cancel_fd) {}
  Result<void> shake_hands(SteadyTime deadline);

  UniqueFd fd_;
  std::unique_ptr<TlsEngine> engine_;
  int cancel_fd_;
  bool is_ended_ = false;
  Bytes verified_ca_;
};

}  // namespace linesign::client

#endif  // LINESIGN_STATIONS_CLIENT_CONNECTION_H_
