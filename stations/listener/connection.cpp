#include "stations/listener/connection.h"

#include <sys/socket.h>

#include <algorithm>

#include "stations/transport/tcp.h"

namespace linesign {
namespace {

// Reading stops while more than this waits for the station, and goes on below half of it.
constexpr size_t kHighWaterBytes = 256 * 1024;
// The same while half of what may wait for all stations waits for them.
constexpr size_t kTightWaterBytes = 16 * 1024;
// Plaintext encrypted at a time: four full records for one write to the socket.
constexpr size_t kChunkBytes = 64 * 1024;
constexpr size_t kMaxThrownAwayBytes = 1024 * 1024;
// A station that reads nothing for this many frame timeouts has stalled.
constexpr int kStallFactor = 3;

SteadyTime steady_now() { return std::chrono::steady_clock::now(); }

}  // namespace

Connection::Connection(ConnectionHost& host, UniqueFd socket, uint64_t number)
    : host_(host),
      socket_(std::move(socket)),
      number_(number),
      phase_since_(steady_now()),
      last_frame_(phase_since_),
      output_moved_(phase_since_) {}

void Connection::start() {
  watch_ = host_.loop.watch(socket_.get(), {.read = true, .write = false}, [this](Readiness ready) {
    const auto keep = shared_from_this();
    on_ready(ready);
  });
  // Most have sent their first bytes by now, and then are not the first to give way.
  on_ready({.read = true, .write = false});
}

void Connection::on_ready(Readiness ready) {
  if (phase_ == Phase::Ended) return;
  in_turn_ = true;
  if (ready.read) read_some();
  in_turn_ = false;
  flush();
}

void Connection::read_some() {
  // One read per turn: a station at full speed must not starve the others.
  const Transfer transfer = read_socket(socket_.get(), host_.ciphertext);
  if (transfer.state == SocketState::WouldBlock) return;
  if (transfer.state == SocketState::Closed) {
    if (phase_ == Phase::Handshake) ++host_.refused_handshakes;
    return end();
  }
  if (phase_ == Phase::Closing || phase_ == Phase::Lingering) {
    thrown_away_bytes_ += transfer.bytes;
    if (thrown_away_bytes_ > kMaxThrownAwayBytes) end();
    return;
  }
  take(ByteView(host_.ciphertext).first(transfer.bytes));
}

void Connection::take(ByteView ciphertext) {
  if (tls_ == nullptr) {
    auto made = TlsEngine::create(host_.tls);
    if (!made) return end();
    tls_ = std::move(*made);
    host_.on_heard(*this);
  }
  const uint64_t frames_before = session_ == nullptr ? 0 : session_->frames_received();
  host_.plaintext.clear();
  const auto received = tls_->receive(ciphertext, host_.plaintext);
  if (!received) {
    tls_failed_ = true;
    if (phase_ == Phase::Handshake) ++host_.refused_handshakes;
    return begin_closing();
  }
  if (phase_ == Phase::Handshake && tls_->is_open()) open_session();
  if (session_ != nullptr && !host_.plaintext.empty()) session_->receive(host_.plaintext);
  note_progress(frames_before);
  if (tls_->is_peer_closed()) return end();
  if (session_ != nullptr && session_->is_closing()) begin_closing();
}

void Connection::open_session() {
  phase_ = Phase::Talking;
  phase_since_ = steady_now();
  last_frame_ = phase_since_;
  const auto on_output = [this] {
    last_frame_ = steady_now();
    if (!in_turn_) host_.on_dirty(*this);
  };
  if (tls_->alpn() == TlsEngine::Alpn::Enrollment) {
    Stranger peer{peer_host(socket_.get()), to_bytes(ByteView(peer_source(socket_.get())))};
    session_ = Session::for_enrollment(host_.sessions, std::move(peer), on_output);
    return;
  }
  auto station = host_.sessions.service.identify(tls_->peer_certificate_hash());
  if (!station) {
    ++host_.refused_handshakes;
    session_ = Session::for_goodbye(host_.sessions, {station.error(), {}}, on_output);
  } else if (const auto admitted = host_.admit(*this, *station); !admitted) {
    session_ = Session::for_goodbye(host_.sessions, admitted.error(), on_output);
  } else {
    session_ = Session::for_station(host_.sessions, std::move(*station), on_output);
  }
}

// A frame must be complete within frame_timeout from its first byte, in whatever portions it comes.
void Connection::note_progress(uint64_t frames_before) {
  const bool in_part = tls_->is_mid_record() || (session_ != nullptr && session_->is_mid_frame());
  const bool got_frame = session_ != nullptr && session_->frames_received() != frames_before;
  if (got_frame) last_frame_ = steady_now();
  if (!in_part) {
    part_since_.reset();
  } else if (got_frame || !part_since_) {
    part_since_ = steady_now();
  }
}

size_t Connection::backlog() const {
  if (tls_ == nullptr) return 0;
  const bool can_send = session_ != nullptr && !tls_failed_;
  return tls_->output().size() + (can_send ? session_->output().size() : 0);
}

bool Connection::has_unsent_answers() const {
  if (session_ == nullptr || phase_ == Phase::Lingering || phase_ == Phase::Ended) return false;
  return session_->unanswered() > 0 || backlog() > 0;
}

void Connection::flush() {
  is_dirty = false;
  if (phase_ == Phase::Ended) return;
  if (session_ != nullptr && session_->is_closing()) begin_closing();
  if (!write_some()) return end();
  if (phase_ == Phase::Closing && backlog() == 0) return finish_closing();
  if (backlog() > host_.settings.max_output_bytes && phase_ == Phase::Talking)
    close(Error(ErrorCode::OutputStalled));
  if (phase_ == Phase::Ended) return;  // it closed, and was one too many of those that do
  update_interest();
  if (host_.waiting_bytes > host_.settings.max_output_sum) host_.on_overfull();
}

// False: the connection is broken.
bool Connection::write_some() {
  while (tls_ != nullptr) {
    if (tls_->output().empty() && !refill_output()) return true;
    const Transfer transfer = write_socket(socket_.get(), tls_->output());
    if (transfer.state == SocketState::Closed) return false;
    if (transfer.state == SocketState::WouldBlock) return true;
    output_moved_ = steady_now();
    tls_->drop_output(transfer.bytes);
  }
  return true;
}

// Encrypts the next portion; false: there is none.
bool Connection::refill_output() {
  output_moved_ = steady_now();
  if (tls_failed_ || phase_ == Phase::Lingering) return false;
  if (session_ != nullptr && !session_->output().empty()) {
    const ByteView waiting = session_->output().view();
    const ByteView chunk = waiting.first(std::min(waiting.size(), kChunkBytes));
    tls_failed_ = !tls_->send(chunk).has_value();
    session_->output().drop(chunk.size());
  } else if (phase_ == Phase::Closing && !said_close_) {
    said_close_ = true;
    tls_->close();
  }
  return !tls_->output().empty();
}

void Connection::close(const Refusal& reason) {
  if (phase_ == Phase::Handshake) return end();
  if (phase_ != Phase::Talking) return;
  session_->close(reason);
  begin_closing();
}

void Connection::begin_closing() {
  if (phase_ >= Phase::Closing) return;
  phase_ = Phase::Closing;
  phase_since_ = steady_now();
  host_.on_closing(*this);
}

void Connection::finish_closing() {
  phase_ = Phase::Lingering;
  phase_since_ = steady_now();
  if (::shutdown(socket_.get(), SHUT_WR) != 0) return end();
  update_interest();
}

void Connection::cut() {
  static_cast<void>(write_some());
  end();
}

void Connection::end() {
  if (phase_ == Phase::Ended) return;
  phase_ = Phase::Ended;
  count_waiting(0);
  watch_.reset();
  rest_.reset();
  socket_.reset();
  host_.on_ended(*this);
}

void Connection::update_interest() {
  const size_t waiting = backlog();
  count_waiting(waiting);
  const bool was_paused = reading_paused_;
  const bool is_tight = host_.waiting_bytes > host_.settings.max_output_sum / 2;
  const size_t high_water = is_tight ? kTightWaterBytes : kHighWaterBytes;
  if (waiting > high_water) is_stalled_ = true;
  if (waiting < high_water / 2) is_stalled_ = false;
  reading_paused_ = phase_ == Phase::Talking && (is_stalled_ || is_resting());
  // What could not arrive while we did not read is not late.
  if (was_paused && !reading_paused_) {
    last_frame_ = steady_now();
    if (part_since_) part_since_ = last_frame_;
  }
  const bool has_output = tls_ != nullptr && !tls_->output().empty();
  watch_->wait_for({.read = !reading_paused_, .write = has_output});
}

void Connection::count_waiting(size_t bytes) {
  host_.waiting_bytes += bytes - counted_bytes_;
  counted_bytes_ = bytes;
}

bool Connection::is_resting() {
  const SteadyTime now = steady_now();
  const auto until = session_->rests_until(now);
  if (!until) return false;
  if (rest_ == nullptr) rest_ = host_.loop.make_timer([this] { update_interest(); });
  rest_->start(std::chrono::ceil<std::chrono::milliseconds>(*until - now));
  return true;
}

void Connection::check_deadlines(SteadyTime now) {
  const auto in_phase = now - phase_since_;
  switch (phase_) {
    case Phase::Handshake:
      if (in_phase < host_.settings.handshake_timeout) return;
      ++host_.refused_handshakes;
      return end();
    case Phase::Talking:
      // Who is not read is not heard to leave either.
      if (reading_paused_ && is_hung_up(socket_.get())) return end();
      if (const auto missed = missed_deadline(now)) {
        close(Error(*missed));
        flush();
      }
      return;
    case Phase::Closing:
    case Phase::Lingering:
      if (in_phase > host_.settings.closing_timeout) end();
      return;
    case Phase::Ended:
      return;
  }
}

std::optional<ErrorCode> Connection::missed_deadline(SteadyTime now) const {
  const ListenerSettings& settings = host_.settings;
  if (part_since_ && !reading_paused_ && now - *part_since_ > settings.frame_timeout)
    return ErrorCode::FrameTimeout;
  if (session_->is_waiting_for_first() && now - phase_since_ > settings.hello_timeout)
    return ErrorCode::HelloTimeout;
  if (backlog() > 0 && now - output_moved_ > kStallFactor * settings.frame_timeout)
    return ErrorCode::OutputStalled;
  const bool is_idle = session_->unanswered() == 0 && backlog() == 0 && !reading_paused_;
  if (is_idle && now - last_frame_ > settings.idle_timeout) return ErrorCode::IdleTimeout;
  return std::nullopt;
}

}  // namespace linesign
