#include "appliance/admin/server/admin_connection.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

namespace linesign {
namespace {

using Poco::Net::HTTPResponse;

constexpr size_t kReadBytes = 16 * 1024;

}  // namespace

AdminConnection::AdminConnection(AdminConnectionHost& host,
                                 UniqueFd socket,
                                 std::optional<uid_t> user)
    : host_(host), socket_(std::move(socket)), user_(user) {}

void AdminConnection::watch_socket() {
  watch_ = host_.loop.watch(socket_.get(), {.read = true, .write = false}, [this](Readiness ready) {
    const auto keep = shared_from_this();
    on_ready(ready);
  });
  deadline_ = host_.loop.make_timer([this] {
    const auto keep = shared_from_this();
    on_deadline();
  });
}

void AdminConnection::start() {
  watch_socket();
  deadline_->start(host_.settings.request_timeout);
  // A client of ours has sent its request by now, and then nobody makes it give way.
  read_some();
}

void AdminConnection::turn_away(std::string text) {
  watch_socket();
  reply(std::move(text));
}

void AdminConnection::on_ready(Readiness ready) {
  if (state_ == State::Reading && ready.read) return read_some();
  if (state_ == State::Writing && ready.write) return write_some();
  if (state_ == State::Lingering) throw_away();
}

void AdminConnection::read_some() {
  std::array<char, kReadBytes> part;  // NOLINT: filled by recv
  while (state_ == State::Reading) {
    const ssize_t got = ::recv(socket_.get(), part.data(), part.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (got <= 0) return end();
    received_.append(part.data(), static_cast<size_t>(got));
    judge();
  }
}

void AdminConnection::judge() {
  if (!head_ && !take_head()) return;
  const std::string_view body = std::string_view(received_).substr(head_->head_bytes);
  if (body.size() < head_->body_bytes) return;
  Call call{std::move(name_), std::string(body.substr(0, head_->body_bytes))};
  received_ = std::string();
  state_ = State::Calling;
  deadline_->stop();
  watch_->wait_for({});
  host_.on_call(*this, *route_, std::move(call));
}

// False: it is not complete, or refused.
bool AdminConnection::take_head() {
  auto head = read_head(received_);
  if (!head) {
    reply(to_http(refusal(HTTPResponse::HTTP_BAD_REQUEST, head.error())));
    return false;
  }
  head_ = std::move(*head);
  if (!head_) return false;
  auto target = find_target(head_->method, head_->path);
  if (!target) {
    reply(to_http(target.error()));
    return false;
  }
  route_ = target->route;
  name_ = std::move(target->name);
  if (head_->body_bytes <= route_->max_bytes) return true;
  reply(to_http(refusal(
      HTTPResponse::HTTP_REQUEST_ENTITY_TOO_LARGE,
      Error(ErrorCode::InputInvalid, fmt::format("more than {} bytes", route_->max_bytes)))));
  return false;
}

void AdminConnection::reply(std::string text) {
  if (state_ != State::Reading && state_ != State::Calling) return;
  has_more_to_read_ = state_ == State::Reading;
  state_ = State::Writing;
  output_ = std::move(text);
  deadline_->start(host_.settings.io_timeout);
  write_some();
}

void AdminConnection::write_some() {
  while (written_ < output_.size()) {
    const ssize_t sent = ::send(socket_.get(),
                                output_.data() + written_,
                                output_.size() - written_,
                                MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      return watch_->wait_for({.read = false, .write = true});
    if (sent <= 0) return end();
    written_ += static_cast<size_t>(sent);
  }
  if (!has_more_to_read_ || ::shutdown(socket_.get(), SHUT_WR) != 0) return end();
  state_ = State::Lingering;
  watch_->wait_for({.read = true, .write = false});
}

void AdminConnection::throw_away() {
  std::array<char, kReadBytes> part;  // NOLINT: filled by recv
  const ssize_t got = ::recv(socket_.get(), part.data(), part.size(), MSG_DONTWAIT);
  if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)) end();
}

void AdminConnection::on_deadline() {
  if (state_ != State::Reading) return end();
  reply(to_http(refusal(HTTPResponse::HTTP_REQUEST_TIMEOUT,
                        Error(ErrorCode::InputInvalid,
                              fmt::format("the request was not complete within {} ms",
                                          host_.settings.request_timeout.count())))));
}

void AdminConnection::end() {
  if (state_ == State::Ended) return;
  state_ = State::Ended;
  watch_.reset();
  deadline_.reset();
  socket_.reset();
  host_.on_ended(*this);
}

}  // namespace linesign
