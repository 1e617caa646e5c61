// AdminConnection: one connection to the admin socket: a request, an answer, the end.
//
//     Reading -> Calling -> Writing -> Ended
//
// A client that is answered before all of its request is here is read on (Lingering), or it would
// see its write fail instead of the answer.
//
// Nothing here waits: half a request and a client that does not read cost a descriptor until their
// deadline, and no thread.
//
// Deadlines  request_timeout for the whole request, io_timeout for the whole answer
// Threads    the event loop's thread only
#ifndef LINESIGN_APPLIANCE_ADMIN_SERVER_ADMIN_CONNECTION_H_
#define LINESIGN_APPLIANCE_ADMIN_SERVER_ADMIN_CONNECTION_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "appliance/admin/server/admin_routes.h"
#include "appliance/admin/server/http_text.h"
#include "protocol/base/clock.h"
#include "protocol/base/unique_fd.h"
#include "protocol/event/event_loop.h"

namespace linesign {

class AdminConnection;

// What the connections of one server share. Must outlive them.
struct AdminConnectionHost {
  EventLoop& loop;
  const AdminServerSettings& settings;
  // The request is complete: reply() comes later.
  std::function<void(AdminConnection&, const Route& route, Call call)> on_call;
  std::function<void(AdminConnection&)> on_ended;
};

class AdminConnection final : public std::enable_shared_from_this<AdminConnection> {
 public:
  AdminConnection(AdminConnectionHost& host, UniqueFd socket, std::optional<uid_t> user);
  AdminConnection(const AdminConnection&) = delete;
  AdminConnection& operator=(const AdminConnection&) = delete;
  ~AdminConnection() = default;

  // REQUIRES: held by a shared_ptr.
  void start();
  // Instead of start(): `text` is the answer, whatever is asked.
  void turn_away(std::string text);
  // `text` is an HTTP answer. Nothing happens if the connection has ended meanwhile.
  void reply(std::string text);
  void end();

  std::optional<uid_t> user() const { return user_; }
  SteadyTime since() const { return since_; }
  // A call of it is in progress: it does not wait for its client.
  bool is_calling() const { return state_ == State::Calling; }
  bool is_urgent() const { return route_ != nullptr && route_->lane == Lane::Urgent; }

 private:
  enum class State : uint8_t { Reading, Calling, Writing, Lingering, Ended };

  void watch_socket();
  void on_ready(Readiness ready);
  void read_some();
  // What the request so far comes to.
  void judge();
  bool take_head();
  void write_some();
  void throw_away();
  void on_deadline();

  AdminConnectionHost& host_;
  UniqueFd socket_;
  std::optional<uid_t> user_;
  SteadyTime since_ = SteadyTime::clock::now();
  State state_ = State::Reading;
  std::string received_;
  std::optional<HttpHead> head_;
  const Route* route_ = nullptr;
  std::string name_;  // in the path
  std::string output_;
  size_t written_ = 0;
  bool has_more_to_read_ = false;
  std::unique_ptr<Watch> watch_;
  std::unique_ptr<Timer> deadline_;
};

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ADMIN_SERVER_ADMIN_CONNECTION_H_
