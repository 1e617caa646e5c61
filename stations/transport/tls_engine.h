// TlsEngine: one TLS connection over memory. It has no socket: the owner carries the ciphertext,
// over TCP today and over USB tomorrow.
//
//     received ciphertext -> receive() -> plaintext
//     plaintext -> send() -> output() -> the owner writes it, then drop_output()
//
// A client has its first flight in output() from the start. After every receive(), also one that
// failed, output() may hold something to be written: the handshake, or an alert.
//
// Errors   TlsFailed with OpenSSL's reason; PeerNotTrusted: a client does not accept the
//          appliance's certificate; StationClockWrong: only its validity does not fit the time
//          here. After an error only output() is of use
// Threads  one thread at a time
// Source   RFC 8446
#ifndef LINESIGN_STATIONS_TRANSPORT_TLS_ENGINE_H_
#define LINESIGN_STATIONS_TRANSPORT_TLS_ENGINE_H_

#include <memory>

#include "protocol/base/bytes.h"
#include "protocol/base/ids.h"
#include "protocol/base/result.h"
#include "stations/transport/tls_context.h"

namespace linesign {

class TlsEngine final {
 public:
  enum class Alpn : uint8_t { None, Station, Enrollment };

  static Result<std::unique_ptr<TlsEngine>> create(const TlsContext& context);
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;
  ~TlsEngine();

  // Takes all of `ciphertext` and appends what it carries to `plaintext`.
  Result<void> receive(ByteView ciphertext, Bytes& plaintext);

  // Encrypts all of `plaintext`. Large pieces make large records. REQUIRES: is_open().
  Result<void> send(ByteView plaintext);

  // Says close_notify, once; nothing can be sent afterwards.
  void close();

  // Ciphertext to be written, borrowed until the next call of anything else.
  ByteView output() const;
  void drop_output(size_t bytes);

  // The handshake is finished and both sides are checked (a client learns only from the first
  // answer or alert whether the appliance accepted its certificate).
  bool is_open() const;
  // The other side said close_notify.
  bool is_peer_closed() const;
  // Part of a TLS record is waiting for its rest.
  bool is_mid_record() const;

  Alpn alpn() const;
  // SHA-256 over the DER of the other side's certificate. REQUIRES: is_open() and it has one.
  Sha256 peer_certificate_hash() const;
  // DER of the CA at the top of the other side's verified chain; empty if it showed none.
  Bytes verified_ca() const;

 private:
  struct State;
  explicit TlsEngine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace linesign

#endif  // LINESIGN_STATIONS_TRANSPORT_TLS_ENGINE_H_
