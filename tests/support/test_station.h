// TestStation: a station in a few lines, on a blocking socket: also one that behaves badly.
//
// Errors   a wait of more than kPatience fails the test
// Threads  one thread at a time
#ifndef LINESIGN_TESTS_SUPPORT_TEST_STATION_H_
#define LINESIGN_TESTS_SUPPORT_TEST_STATION_H_

#include <memory>
#include <optional>
#include <vector>

#include "protocol/base/unique_fd.h"
#include "stations/transport/tls_engine.h"
#include "tests/support/station_messages.h"

namespace linesign::test {

class TestStation final {
 public:
  static constexpr std::chrono::seconds kPatience{20};

  // A TCP connection; TLS only with a context.
  explicit TestStation(uint16_t port, const TlsContext* context = nullptr);

  // Until the handshake is finished or failed, as a client sees it.
  bool shake_hands();

  void send(const ToAppliance& message) { send_plaintext(frame_of(message)); }
  void send_plaintext(ByteView plaintext);
  // Encrypts, but leaves the ciphertext to the caller.
  Bytes encrypt(ByteView plaintext);
  // False: the connection is broken.
  bool send_raw(ByteView bytes);

  // The next message; nothing when the appliance closed.
  std::optional<ToStation> receive();
  // All messages until the appliance closes.
  std::vector<ToStation> receive_until_closed();
  bool greet();

  // Waits at most this long for bytes or the end; true: there is something.
  bool wait_readable(std::chrono::milliseconds time) const;
  // The connection's end has been seen.
  bool is_closed() const { return closed_; }
  const std::optional<Error>& error() const { return error_; }
  TlsEngine& tls() { return *tls_; }
  size_t records_received() const { return records_; }
  int fd() const { return socket_.get(); }
  void disconnect() { socket_.reset(); }

 private:
  bool read_some();
  bool flush();
  void count_records(ByteView ciphertext);

  UniqueFd socket_;
  std::unique_ptr<TlsEngine> tls_;
  Bytes plaintext_;
  FrameReader reader_;
  bool closed_ = false;
  std::optional<Error> error_;
  size_t records_ = 0;
  size_t record_bytes_left_ = 0;
  Bytes record_header_;
};

}  // namespace linesign::test

#endif  // LINESIGN_TESTS_SUPPORT_TEST_STATION_H_
