#include "stations/listener/listener.h"

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "stations/listener/connection.h"
#include "stations/transport/tcp.h"

namespace linesign {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr std::chrono::milliseconds kAcceptPause{200};
constexpr std::chrono::milliseconds kShortestSweep{10};
constexpr std::chrono::milliseconds kLongestSweep{1000};

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
  int socket() const { return socket_.get(); }

 private:
  void accept_some();
  void add_connection(UniqueFd socket);
  void pause_accepting();
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
  ConnectionHost host_;
  uint64_t accepted_ = 0;
  bool is_sweeping_ = false;
  SteadyTime swept_at_;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
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
      host_{.loop = loop,
            .settings = settings_,
            .sessions = sessions_,
            .on_dirty = [this](Connection& connection) { mark_dirty(connection); },
            .on_ended = [this](Connection& connection) { forget(connection); }},
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
  accept_watch_->wait_for({});
  accept_timer_->start(kAcceptPause);
}

void Listener::Implementation::add_connection(UniqueFd socket) {
  ++accepted_;
  if (connections_.size() >= settings_.max_sessions) {
    ++host_.refused_handshakes;
    return;  // closes the socket
  }
  auto tls = TlsEngine::create(tls_);
  if (!tls) {
    ++host_.refused_handshakes;
    return;
  }
  auto connection = std::make_shared<Connection>(host_, std::move(socket), std::move(*tls));
  connections_.emplace(connection.get(), connection);
  connection->start();
  if (std::exchange(is_sweeping_, true)) return;
  swept_at_ = std::chrono::steady_clock::now();
  sweep_timer_->start(sweep_interval(settings_));
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

void Listener::Implementation::forget(Connection& connection) { connections_.erase(&connection); }

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
  return {.sessions = static_cast<uint32_t>(connections_.size()),
          .accepted = accepted_,
          .refused_handshakes = host_.refused_handshakes,
          .requests = sessions_.requests,
          .busy = sessions_.busy};
}

uint32_t Listener::Implementation::sessions_of(int64_t station_id) const {
  return static_cast<uint32_t>(
      std::count_if(connections_.begin(), connections_.end(), [&](const auto& entry) {
        return entry.second->station_id() == station_id;
      }));
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

}  // namespace linesign
