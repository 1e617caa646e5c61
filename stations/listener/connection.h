// Connection: one socket of the station port with its TLS and its Session, until it is closed.
//
//     Handshake -> Talking -> Closing -> Lingering -> Ended
//
// Handshake  TLS is made with the first bytes: who only connects costs a descriptor, no more
// Closing    what is left is written: the last answers, Goodbye, the TLS alert
// Lingering  our side is shut; what still comes is thrown away, because closing a socket with
//            unread bytes would reset it and the station might never see our Goodbye
// Deadlines  check_deadlines(), called periodically
// Threads    the event loop's thread only
#ifndef LINESIGN_STATIONS_LISTENER_CONNECTION_H_
#define LINESIGN_STATIONS_LISTENER_CONNECTION_H_

#include <functional>
#include <memory>
#include <optional>

#include "protocol/base/clock.h"
#include "protocol/base/unique_fd.h"
#include "protocol/event/event_loop.h"
#include "stations/listener/listener.h"
#include "stations/session/session.h"
#include "stations/transport/tls_engine.h"

namespace linesign {

class Connection;

// What the connections of one listener share. Must outlive them.
struct ConnectionHost {
  EventLoop& loop;
  const ListenerSettings& settings;
  const TlsContext& tls;
  SessionHost& sessions;
  // The connection has output to be flushed at the end of this turn of the loop.
  std::function<void(Connection&)> on_dirty;
  // Its first bytes are here.
  std::function<void(Connection&)> on_heard;
  // TLS has shown that it is this station's: may it have a session? The refusal is its Goodbye.
  std::function<tl::expected<void, Refusal>(Connection&, const StationIdentity&)> admit;
  // It leaves Handshake or Talking to end.
  std::function<void(Connection&)> on_closing;
  // It is Ended and can be forgotten.
  std::function<void(Connection&)> on_ended;
  // More than settings.max_output_sum waits for all stations.
  std::function<void()> on_overfull;
  uint64_t refused_handshakes = 0;
  size_t waiting_bytes = 0;             // for all stations
  Bytes ciphertext = Bytes(64 * 1024);  // scratch of every read
  Bytes plaintext = {};
};

class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  // Numbers rise.
  Connection(ConnectionHost& host, UniqueFd socket, uint64_t number);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() = default;

  // REQUIRES: held by a shared_ptr.
  void start();

  // Writes as much as the socket takes.
  void flush();
  void check_deadlines(SteadyTime now);
  // Says Goodbye and closes. A handshake is only closed.
  void close(const Refusal& reason);
  void close(const Error& reason) { close(Refusal{reason, {}}); }
  // Without a word, at once.
  void drop() { end(); }
  // The same, but what the socket takes of what is left goes out first.
  void cut();

  uint64_t number() const { return number_; }
  bool is_handshake() const { return phase_ == Phase::Handshake; }
  // It has shown a station's certificate.
  bool is_named() const {
    return session_ != nullptr && tls_->alpn() != TlsEngine::Alpn::Enrollment;
  }
  bool has_unsent_answers() const;
  size_t waiting_bytes() const { return counted_bytes_; }
  // REQUIRES: the station was admitted.
  bool is_idle() const { return session_ == nullptr || session_->unanswered() == 0; }
  SteadyTime last_frame() const { return last_frame_; }
  int64_t station_id() const { return session_ == nullptr ? 0 : session_->station().id; }

  // For the listener's list of connections to flush.
  bool is_dirty = false;

 private:
  enum class Phase : uint8_t { Handshake, Talking, Closing, Lingering, Ended };

  void on_ready(Readiness ready);
  void read_some();
  void take(ByteView ciphertext);
  void open_session();
  void note_progress(uint64_t frames_before);
  bool write_some();
  bool refill_output();
  void begin_closing();
  void finish_closing();
  void end();
  void update_interest();
  void count_waiting(size_t bytes);
  bool is_resting();
  std::optional<ErrorCode> missed_deadline(SteadyTime now) const;
  size_t backlog() const;

  ConnectionHost& host_;
  UniqueFd socket_;
  uint64_t number_;
  std::unique_ptr<TlsEngine> tls_;  // null: nothing was received yet
  std::shared_ptr<Session> session_;
  std::unique_ptr<Watch> watch_;
  std::unique_ptr<Timer> rest_;  // made when the station has to rest for the first time
  Phase phase_ = Phase::Handshake;
  bool in_turn_ = false;         // on_ready() is running and will flush
  bool tls_failed_ = false;      // nothing but the alert can be sent
  bool said_close_ = false;      // close_notify
  bool is_stalled_ = false;      // until the station has read its answers
  bool reading_paused_ = false;  // stalled or resting
  size_t thrown_away_bytes_ = 0;
  size_t counted_bytes_ = 0;  // of host_.waiting_bytes
  SteadyTime phase_since_;
  SteadyTime last_frame_;                 // or answer: what keeps a session from being idle
  SteadyTime output_moved_;               // last time that the socket took bytes, or had to
  std::optional<SteadyTime> part_since_;  // first byte of a frame or record that is not complete
};

}  // namespace linesign

#endif  // LINESIGN_STATIONS_LISTENER_CONNECTION_H_
