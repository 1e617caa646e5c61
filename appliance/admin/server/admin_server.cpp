#include "appliance/admin/server/admin_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "appliance/admin/server/admin_connection.h"
#include "appliance/admin/server/admin_workers.h"
#include "appliance/admin/server/loop_bridge.h"
#include "appliance/admin/server/unix_socket.h"
#include "protocol/base/file.h"
#include "protocol/base/process.h"

namespace linesign {
namespace {

constexpr mode_t kSocketMode = 0660;  // the service's user and the operators' group
constexpr int kBacklog = 128;
constexpr int kAcceptsPerTurn = 8;
constexpr std::chrono::milliseconds kAcceptPause{50};
// For a client to send its request, before it may have to give way.
constexpr std::chrono::milliseconds kGrace{100};

// An answer on its way from a worker to its connection.
struct Pending {
  std::weak_ptr<AdminConnection> connection;
  std::string text;
};

}  // namespace

class AdminServer::Implementation final {
 public:
  Implementation(EventLoop& loop, AdminService& service, const AdminServerSettings& settings)
      : loop_(loop),
        settings_(settings),
        bridge_(loop, service, settings.reply_timeout),
        cloud_bridge_(loop, service, settings.cloud_reply_timeout),
        host_{.loop = loop,
              .settings = settings_,
              .on_call = [this](AdminConnection& connection,
                                const Route& route,
                                Call call) { start_call(connection, route, std::move(call)); },
              .on_ended = [this](AdminConnection& connection) { forget(connection); }},
        accept_timer_(loop.make_timer([this] {
          accept_watch_->wait_for({.read = true, .write = false});
          accept_some();
        })),
        workers_(std::make_unique<AdminWorkers>(settings.threads, settings.cloud_threads)) {}
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;
  ~Implementation() { stop(); }

  Result<void> start() {
    LS_CHECK(remove_stale_socket(settings_.socket));
    LS_TRY(socket_, bind_unix_socket(settings_.socket));
    // Nobody can connect before listen(), so the mode is right from the first moment.
    LS_TRY(SocketFile file, SocketFile::take(settings_.socket, kSocketMode));
    file_.emplace(std::move(file));
    if (::listen(socket_.get(), kBacklog) != 0)
      return fail(
          ErrorCode::ListenFailed,
          fmt::format("cannot listen on {}: {}", settings_.socket.string(), errno_text(errno)));
    accept_watch_ = loop_.watch(socket_.get(),
                                {.read = true, .write = false},
                                [this](Readiness /*ready*/) { accept_some(); });
    return {};
  }

 private:
  using ConnectionPointer = std::shared_ptr<AdminConnection>;

  void accept_some();
  bool admit(UniqueFd& socket);
  void turn_away(UniqueFd socket, const std::optional<uid_t>& user);
  void forget(const AdminConnection& connection);
  void pause_accepting();
  template <typename Predicate>
  size_t count(Predicate is_meant) const;
  size_t count_of(const std::optional<uid_t>& user) const;
  bool make_room(const std::optional<uid_t>& user);
  std::optional<uid_t> user_with_most() const;
  void start_call(AdminConnection& connection, const Route& route, Call call);
  bool is_busy(const AdminConnection& connection) const;
  void deliver(Pending& pending);
  void stop();

  EventLoop& loop_;
  AdminServerSettings settings_;
  LoopBridge bridge_;
  LoopBridge cloud_bridge_;
  AdminConnectionHost host_;
  UniqueFd socket_;
  UniqueFd waiting_;  // accepted while there was no room yet
  std::optional<SocketFile> file_;
  std::list<ConnectionPointer> connections_;  // the oldest first
  std::list<ConnectionPointer> turned_away_;  // the same
  std::list<std::shared_ptr<Pending>> calls_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for work that was posted
  std::unique_ptr<Timer> accept_timer_;
  std::unique_ptr<Watch> accept_watch_;
  std::unique_ptr<AdminWorkers> workers_;
};

void AdminServer::Implementation::accept_some() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (!waiting_) waiting_ = accept_unix_socket(socket_.get());
    if (waiting_ && admit(waiting_)) continue;
    const bool nobody_waits = !waiting_ && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (!nobody_waits) pause_accepting();
    return;
  }
}

// Until there is room for anybody, or a descriptor: the waiting connection keeps the socket ready,
// and without a pause the loop would spin. Whoever connects meanwhile waits in the kernel's queue.
void AdminServer::Implementation::pause_accepting() {
  accept_watch_->wait_for({});
  accept_timer_->start(kAcceptPause);
}

// False: there is no room yet, for nobody. A user who has too many is told and holds up no other.
bool AdminServer::Implementation::admit(UniqueFd& socket) {
  const std::optional<uid_t> user = settings_.user_of(socket.get());
  if (count_of(user) >= settings_.max_connections_per_user && !make_room(user)) {
    turn_away(std::move(socket), user);
    return true;
  }
  if (connections_.size() >= settings_.max_connections && !make_room(user_with_most()))
    return false;
  const auto connection = std::make_shared<AdminConnection>(host_, std::move(socket), user);
  connections_.push_back(connection);
  connection->start();
  return true;
}

void AdminServer::Implementation::turn_away(UniqueFd socket, const std::optional<uid_t>& user) {
  while (turned_away_.size() >= settings_.max_turned_away) {
    const ConnectionPointer oldest = turned_away_.front();
    oldest->end();
  }
  const auto connection = std::make_shared<AdminConnection>(host_, std::move(socket), user);
  turned_away_.push_back(connection);
  connection->turn_away(to_http(refusal(Error(ErrorCode::AdminBusy))));
}

void AdminServer::Implementation::forget(const AdminConnection& connection) {
  const auto is_it = [&](const ConnectionPointer& each) { return each.get() == &connection; };
  connections_.remove_if(is_it);
  turned_away_.remove_if(is_it);
}

template <typename Predicate>
size_t AdminServer::Implementation::count(Predicate is_meant) const {
  return static_cast<size_t>(std::count_if(connections_.begin(), connections_.end(), is_meant));
}

size_t AdminServer::Implementation::count_of(const std::optional<uid_t>& user) const {
  return count([&](const ConnectionPointer& each) { return each->user() == user; });
}

// The oldest that waits for its client gives way, unless it is very young.
bool AdminServer::Implementation::make_room(const std::optional<uid_t>& user) {
  const auto found = std::find_if(connections_.begin(), connections_.end(), [&](const auto& each) {
    return each->user() == user && !each->is_calling();
  });
  if (found == connections_.end()) return false;
  if (SteadyTime::clock::now() - (*found)->since() < kGrace) return false;
  const ConnectionPointer oldest = *found;
  oldest->end();
  return true;
}

std::optional<uid_t> AdminServer::Implementation::user_with_most() const {
  return (*std::max_element(connections_.begin(),
                            connections_.end(),
                            [this](const auto& a, const auto& b) {
                              return count_of(a->user()) < count_of(b->user());
                            }))
      ->user();
}

bool AdminServer::Implementation::is_busy(const AdminConnection& connection) const {
  const size_t limit =
      connection.is_urgent() ? settings_.max_urgent_calls_per_user : settings_.max_calls_per_user;
  // The connection itself is one of them.
  return count([&](const ConnectionPointer& each) {
           return each->user() == connection.user() && each->is_calling() &&
                  each->is_urgent() == connection.is_urgent();
         }) > limit;
}

void AdminServer::Implementation::start_call(AdminConnection& connection,
                                             const Route& route,
                                             Call call) {
  if (is_busy(connection)) {
    connection.reply(to_http(refusal(Error(ErrorCode::AdminBusy))));
    return;
  }
  auto pending = std::make_shared<Pending>(Pending{connection.weak_from_this(), {}});
  calls_.push_back(pending);
  LoopBridge& bridge = route.lane == Lane::Cloud ? cloud_bridge_ : bridge_;
  workers_->run(
      [this,
       &bridge,
       &route,
       pending,
       call = std::move(call),
       alive = std::weak_ptr<bool>(alive_)] {
        pending->text = to_http(route.run(bridge, call));
        loop_.post([this, pending, alive] {
          if (!alive.expired()) deliver(*pending);
        });
      },
      route.lane);
}

void AdminServer::Implementation::deliver(Pending& pending) {
  calls_.remove_if([&](const auto& each) { return each.get() == &pending; });
  if (const auto connection = pending.connection.lock()) connection->reply(std::move(pending.text));
}

// What was asked is answered: with what there is, or that linesignd ends.
void AdminServer::Implementation::stop() {
  accept_watch_.reset();
  alive_.reset();
  bridge_.close();
  cloud_bridge_.close();
  workers_.reset();
  const auto calls = std::move(calls_);
  for (const auto& call : calls) {
    if (call->text.empty()) call->text = to_http(refusal(LoopBridge::closed_error()));
    deliver(*call);
  }
  for (const auto& list : {connections_, turned_away_})
    for (const auto& connection : list) connection->end();
}

Result<std::unique_ptr<AdminServer>> AdminServer::start(EventLoop& loop,
                                                        AdminService& service,
                                                        const AdminServerSettings& settings) {
  auto implementation = std::make_unique<Implementation>(loop, service, settings);
  LS_CHECK(implementation->start());
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(implementation)));
}

AdminServer::AdminServer(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}

AdminServer::~AdminServer() = default;

}  // namespace linesign
