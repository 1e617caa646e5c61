#include "stations/listener/listener.h"

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

#include "stations/listener/connection.h"
#include "stations/listener/pending_connections.h"
#include "stations/transport/tcp.h"

namespace linesign {
namespace {

constexpr int kAcceptsPerTurn = 16;
constexpr std::chrono::milliseconds kAcceptPause{200};
constexpr std::chrono::milliseconds kShortestSweep{10};
constexpr std::chrono::milliseconds kLongestSweep{1000};
// For a station whose session was refused: a handshake costs as much as a certificate.
constexpr std::chrono::milliseconds kReturnAfter{5000};
// For one whose session gave way: nothing is full.
constexpr std::chrono::milliseconds kReplacedReturnAfter{100};

// Often enough that no deadline is missed by more than a quarter of itself.
std::chrono::milliseconds sweep_interval(const ListenerSettings& settings) {
  const auto shortest = std::min({settings.handshake_timeout,
                                  settings.hello_timeout,
                                  settings.frame_timeout,
                                  settings.idle_timeout});
  return std::clamp(shortest / 4, kShortestSweep, kLongestSweep);
}

}  // namespace

class Listener::Implementation final {
 public:
  Implementation(EventLoop& loop,
                 StationService& service,
                 const ListenerSettings& settings,
                 TlsContext tls,
                 UniqueFd socket);

  void start();
  uint16_t port() const { return port_; }
  void set_port(uint16_t port) { port_ = port; }
  ListenerCounters counters() const;
  uint32_t sessions_of(int64_t station_id) const;
  void close_station(int64_t station_id, const Error& reason);
  void begin_drain();
  bool is_drained() const;
  void close_all();
  bool is_empty() const { return connections_.empty(); }

 private:
  void accept_some();
  void add_connection(UniqueFd socket);
  void drop(uint64_t number);
  void pause_accepting();
  tl::expected<void, Refusal> admit(Connection& connection, const StationIdentity& station);
  Result<void> make_room(int64_t station_id);
  void leave(Connection& connection);
  void follow_closing(Connection& connection);
  void drop_largest();
  void mark_dirty(Connection& connection);
  void flush_dirty();
  void forget(Connection& connection);
  void sweep();
  std::vector<std::shared_ptr<Connection>> all_connections() const;

  EventLoop& loop_;
  const ListenerSettings settings_;
  TlsContext tls_;
  UniqueFd socket_;
  uint16_t port_ = 0;
  SessionHost sessions_;
  PendingConnections pending_;
  ConnectionHost host_;
  ListenerCounters counts_;  // those that only grow
  bool is_sweeping_ = false;
  SteadyTime swept_at_;
  std::unordered_map<uint64_t, std::shared_ptr<Connection>> connections_;  // by number
  std::unordered_map<int64_t, std::vector<Connection*>> sessions_of_;      // none is empty
  uint32_t session_count_ = 0;
  std::deque<uint64_t> closing_;  // numbers, the oldest first; some may have ended
  std::vector<std::shared_ptr<Connection>> dirty_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for work that was posted
  std::unique_ptr<Timer> accept_timer_;
  std::unique_ptr<Timer> sweep_timer_;
  std::unique_ptr<Watch> accept_watch_;
};

Listener::Implementation::Implementation(EventLoop& loop,
                                         StationService& service,
                                         const ListenerSettings& settings,
                                         TlsContext tls,
                                         UniqueFd socket)
    : loop_(loop),
      settings_(settings),
      tls_(std::move(tls)),
      socket_(std::move(socket)),
      sessions_(service, {.window = settings.window, .software = settings.software}),
      pending_({.total = settings.max_pending, .per_source = settings.max_pending_per_source}),
      host_{
          .loop = loop,
          .settings = settings_,
          .tls = tls_,
          .sessions = sessions_,
          .on_dirty = [this](Connection& connection) { mark_dirty(connection); },
          .on_heard = [this](Connection& connection) { pending_.note_bytes(connection.number()); },
          .admit = [this](Connection& connection,
                          const StationIdentity& station) { return admit(connection, station); },
          .on_closing = [this](Connection& connection) { follow_closing(connection); },
          .on_ended = [this](Connection& connection) { forget(connection); },
          .on_overfull = [this] { drop_largest(); }},
      accept_timer_(loop.make_timer([this] {
        if (accept_watch_ != nullptr) accept_watch_->wait_for({.read = true, .write = false});
      })),
      sweep_timer_(loop.make_timer([this] { sweep(); })) {}

void Listener::Implementation::start() {
  accept_watch_ = loop_.watch(socket_.get(),
                              {.read = true, .write = false},
                              [this](Readiness /*ready*/) { accept_some(); });
}

void Listener::Implementation::accept_some() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    auto socket = accept_tcp(socket_.get());
    if (socket) {
      add_connection(std::move(*socket));
    } else if (socket.error() == AcceptEnd::NoResources) {
      return pause_accepting();
    } else if (socket.error() == AcceptEnd::NobodyWaits) {
      return;
    }
  }
}

// The waiting connection keeps the socket ready: without a pause the loop would spin.
void Listener::Implementation::pause_accepting() {
  ++counts_.out_of_descriptors;
  accept_watch_->wait_for({});
  accept_timer_->start(kAcceptPause);
}

void Listener::Implementation::add_connection(UniqueFd socket) {
  const uint64_t number = ++counts_.accepted;
  const auto admission = pending_.add(number, peer_source(socket.get()), SteadyTime::clock::now());
  if (admission.gives_way) drop(*admission.gives_way);
  if (!admission.is_admitted || admission.gives_way) ++counts_.dropped_handshakes;
  if (!admission.is_admitted) return;  // closes the socket
  auto connection = std::make_shared<Connection>(host_, std::move(socket), number);
  connections_.emplace(number, connection);
  connection->start();
  if (std::exchange(is_sweeping_, true)) return;
  swept_at_ = std::chrono::steady_clock::now();
  sweep_timer_->start(sweep_interval(settings_));
}

void Listener::Implementation::drop(uint64_t number) {
  const auto found = connections_.find(number);
  if (found == connections_.end()) return;
  const auto keep = found->second;
  keep->drop();
}

// Whose it is has been shown; whatever comes of it, it is pending no more.
tl::expected<void, Refusal> Listener::Implementation::admit(Connection& connection,
                                                            const StationIdentity& station) {
  pending_.remove(connection.number());
  if (const auto room = make_room(station.id); !room) {
    ++counts_.session_limit;
    return tl::unexpected(Refusal{room.error(), kReturnAfter});
  }
  if (session_count_ >= settings_.max_sessions) {
    ++counts_.sessions_full;
    return tl::unexpected(Refusal{Error(ErrorCode::Busy), kReturnAfter});
  }
  sessions_of_[station.id].push_back(&connection);
  ++session_count_;
  return {};
}

// A station that comes back after a power cut has sessions that nobody will ever end: the one that
// was silent for longest gives way. One that works does not, or programs with one credential would
// throw each other out without end.
Result<void> Listener::Implementation::make_room(int64_t station_id) {
  const auto found = sessions_of_.find(station_id);
  if (found == sessions_of_.end() || found->second.size() < settings_.max_sessions_per_station)
    return {};
  const SteadyTime before = SteadyTime::clock::now() - settings_.replace_after;
  Connection* silent = nullptr;
  for (Connection* each : found->second) {
    const bool is_silent = each->is_idle() && each->last_frame() <= before;
    if (is_silent && (silent == nullptr || each->last_frame() < silent->last_frame()))
      silent = each;
  }
  if (silent == nullptr) return fail(ErrorCode::SessionLimit);
  ++counts_.replaced_sessions;
  silent->close(Refusal{Error(ErrorCode::SessionLimit), kReplacedReturnAfter});
  return {};
}

// It is pending or a session no more.
void Listener::Implementation::leave(Connection& connection) {
  pending_.remove(connection.number());
  const auto found = sessions_of_.find(connection.station_id());
  if (found != sessions_of_.end() && std::erase(found->second, &connection) > 0) {
    --session_count_;
    if (found->second.empty()) sessions_of_.erase(found);
  }
}

void Listener::Implementation::follow_closing(Connection& connection) {
  leave(connection);
  if (sessions_.draining) return;
  std::erase_if(closing_, [this](uint64_t number) { return !connections_.contains(number); });
  closing_.push_back(connection.number());
  if (closing_.size() <= settings_.max_closing) return;
  // Strangers can fill this place, but they push out only each other.
  const auto stranger = std::find_if(closing_.begin(), closing_.end(), [this](uint64_t number) {
    return !connections_.at(number)->is_named();
  });
  const auto chosen = connections_.at(stranger == closing_.end() ? closing_.front() : *stranger);
  chosen->cut();
}

void Listener::Implementation::drop_largest() {
  const auto largest =
      std::max_element(connections_.begin(), connections_.end(), [](const auto& a, const auto& b) {
        return a.second->waiting_bytes() < b.second->waiting_bytes();
      });
  if (largest == connections_.end()) return;
  ++counts_.dropped_stalled;
  const auto keep = largest->second;
  keep->drop();
}

void Listener::Implementation::mark_dirty(Connection& connection) {
  if (std::exchange(connection.is_dirty, true)) return;
  dirty_.push_back(connection.shared_from_this());
  if (dirty_.size() > 1) return;
  // After everything that this turn still has for it: many answers become few, large TLS records.
  loop_.post([this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) flush_dirty();
  });
}

void Listener::Implementation::flush_dirty() {
  std::vector<std::shared_ptr<Connection>> dirty;
  dirty.swap(dirty_);
  for (const auto& connection : dirty) connection->flush();
}

void Listener::Implementation::forget(Connection& connection) {
  leave(connection);
  connections_.erase(connection.number());
}

void Listener::Implementation::sweep() {
  const SteadyTime now = std::chrono::steady_clock::now();
  const auto interval = sweep_interval(settings_);
  // If this thread itself was held up, the bytes may well be in the sockets: read them first.
  const bool was_held_up = now - swept_at_ > 2 * interval + kShortestSweep;
  swept_at_ = now;
  if (!was_held_up) {
    for (const auto& connection : all_connections()) connection->check_deadlines(now);
  }
  is_sweeping_ = !connections_.empty();
  if (is_sweeping_) sweep_timer_->start(interval);
}

std::vector<std::shared_ptr<Connection>> Listener::Implementation::all_connections() const {
  std::vector<std::shared_ptr<Connection>> all;
  all.reserve(connections_.size());
  for (const auto& [key, connection] : connections_) all.push_back(connection);
  return all;
}

ListenerCounters Listener::Implementation::counters() const {
  ListenerCounters counters = counts_;
  counters.connections = static_cast<uint32_t>(connections_.size());
  counters.sessions = session_count_;
  counters.max_sessions = settings_.max_sessions;
  counters.pending = static_cast<uint32_t>(pending_.size());
  counters.stations_at_limit = static_cast<uint32_t>(
      std::count_if(sessions_of_.begin(), sessions_of_.end(), [&](const auto& entry) {
        return entry.second.size() >= settings_.max_sessions_per_station;
      }));
  counters.waiting_bytes = host_.waiting_bytes;
  counters.refused_handshakes = host_.refused_handshakes;
  counters.requests = sessions_.requests;
  counters.busy = sessions_.busy;
  return counters;
}

uint32_t Listener::Implementation::sessions_of(int64_t station_id) const {
  const auto found = sessions_of_.find(station_id);
  return found == sessions_of_.end() ? 0 : static_cast<uint32_t>(found->second.size());
}

void Listener::Implementation::close_station(int64_t station_id, const Error& reason) {
  for (const auto& connection : all_connections()) {
    if (connection->station_id() == station_id) connection->close(reason);
  }
}

void Listener::Implementation::begin_drain() {
  sessions_.draining = true;
  accept_timer_->stop();
  accept_watch_.reset();
  socket_.reset();
  for (const auto& connection : all_connections()) {
    if (connection->is_handshake()) connection->drop();
  }
}

void Listener::Implementation::close_all() {
  const Refusal reason{Error(ErrorCode::Draining), sessions_.settings.drain_retry_after};
  for (const auto& connection : all_connections()) connection->close(reason);
}

bool Listener::Implementation::is_drained() const {
  return std::none_of(connections_.begin(), connections_.end(), [](const auto& entry) {
    return entry.second->has_unsent_answers();
  });
}

Result<std::unique_ptr<Listener>> Listener::open(EventLoop& loop,
                                                 StationService& service,
                                                 const ListenerSettings& settings,
                                                 const ListenerCredential& credential) {
  LS_TRY(TlsContext tls,
         TlsContext::for_appliance({.certificate_pem = credential.certificate_pem,
                                    .private_key_pem = credential.private_key_pem},
                                   credential.station_ca_pem));
  LS_TRY(UniqueFd socket, listen_tcp(settings.address));
  LS_TRY(const uint16_t port, local_port(socket.get()));
  auto implementation =
      std::make_unique<Implementation>(loop, service, settings, std::move(tls), std::move(socket));
  implementation->set_port(port);
  implementation->start();
  return std::unique_ptr<Listener>(new Listener(std::move(implementation)));
}

Listener::Listener(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}

Listener::~Listener() = default;

uint16_t Listener::port() const { return implementation_->port(); }

ListenerCounters Listener::counters() const { return implementation_->counters(); }

uint32_t Listener::sessions_of(int64_t station_id) const {
  return implementation_->sessions_of(station_id);
}

void Listener::close_station(int64_t station_id, const Error& reason) {
  implementation_->close_station(station_id, reason);
}

void Listener::begin_drain() { implementation_->begin_drain(); }

bool Listener::is_drained() const { return implementation_->is_drained(); }

void Listener::close_all() { implementation_->close_all(); }

bool Listener::is_empty() const { return implementation_->is_empty(); }

}  // namespace linesign
