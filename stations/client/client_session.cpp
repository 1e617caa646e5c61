#include "stations/client/client_session.h"

#include <algorithm>

#include <fmt/format.h>
#include <openssl/rand.h>

#include "stations/client/backoff.h"
#include "stations/client/certificate_checker.h"
#include "stations/client/der.h"
#include "stations/client/wire_values.h"

namespace linesign::client {
namespace {

namespace wire = station::v1;

constexpr uint32_t kVersion = 1;
constexpr size_t kSendAtBytes = 16 * 1024;  // one full TLS record
constexpr size_t kMaxSoftwareBytes = 64;

RequestId random_request_id() {
  RequestId id{};
  // Only has to differ from the other ids of this connection.
  static_cast<void>(RAND_bytes(id.data(), static_cast<int>(id.size())));
  return id;
}

std::string to_wire(const RequestId& id) { return std::string(as_text(id)); }

}  // namespace

Result<void> ClientSession::connect() {
  connection_.reset();
  frames_ = FrameReader();
  unsent_.clear();
  unanswered_.clear();
  replies_.clear();
  awaited_id_.reset();
  is_welcome_ = false;
  is_ping_sent_ = false;
  failure_.reset();
  const SteadyTime deadline = steady_now() + options_.connect_timeout;
  auto connection = Connection::open(address_, context_, deadline, options_.cancel_descriptor);
  if (!connection.has_value()) return lose(std::move(connection).error());
  connection_ = std::move(connection).value();
  last_heard_ = steady_now();
  auto introduced = introduce(deadline);
  if (!introduced.has_value() && connection_) return lose(std::move(introduced).error());
  return introduced;
}

Result<void> ClientSession::introduce(SteadyTime deadline) {
  wire::ToAppliance message;
  wire::Hello& hello = *message.mutable_hello();
  hello.set_min_version(kVersion);
  hello.set_max_version(kVersion);
  hello.set_software(options_.software.substr(0, kMaxSoftwareBytes));
  hello.set_max_frame_bytes(kMaxFrameBytes);
  LS_CHECK(queue(message));
  return wait_until(deadline, [this] { return is_welcome_; });
}

Result<void> ClientSession::take_welcome(const wire::Welcome& welcome) {
  if (welcome.version() != kVersion)
    return fail(ErrorCode::VersionUnsupported,
                fmt::format("the appliance chose {}", welcome.version()));
  if (is_welcome_ || welcome.window() == 0 || welcome.issuer_chain().empty())
    return fail(ErrorCode::FrameMalformed, "Welcome");
  station_name_ = welcome.station();
  window_ = welcome.window();
  if (welcome.max_frame_bytes() != 0)
    max_frame_bytes_ = std::min<size_t>(welcome.max_frame_bytes(), kMaxFrameBytes);
  issuer_chain_.clear();
  for (const std::string& der : welcome.issuer_chain()) issuer_chain_.push_back(to_bytes(der));
  is_welcome_ = true;
  return {};
}

// Ends the connection; what was unanswered stays unanswered.
Result<void> ClientSession::lose(Error error) {
  connection_.reset();
  unanswered_.clear();
  awaited_id_.reset();
  failure_ = error;
  return fail(std::move(error));
}

Result<void> ClientSession::queue(const wire::ToAppliance& message) {
  if (!connection_) return fail(why_lost());
  if (message.ByteSizeLong() > max_frame_bytes_)
    return fail(ErrorCode::FrameTooLarge, fmt::format("at most {} bytes", max_frame_bytes_));
  append_frame(unsent_, message);
  return unsent_.size() >= kSendAtBytes ? send_unsent() : Result<void>();
}

Result<void> ClientSession::send_unsent() {
  if (!connection_) return fail(why_lost());
  if (unsent_.empty()) {
    connection_->flush();
    return {};
  }
  auto sent = connection_->send(unsent_);
  unsent_.clear();
  if (!sent.has_value()) return lose(std::move(sent).error());
  return {};
}

Result<void> ClientSession::submit(const IssueRequest& request, bool is_fetch) {
  if (unanswered_.size() >= window_ && connection_)
    return fail(ErrorCode::Busy, fmt::format("{} requests are unanswered", window_));
  if (unanswered_.contains(request.request_id))
    return fail(ErrorCode::Usage, "this request is unanswered already");
  if (!is_fetch && request.csr_der.empty()) return fail(ErrorCode::CsrEmpty);
  wire::ToAppliance message;
  if (is_fetch) {
    message.mutable_fetch()->set_request_id(to_wire(request.request_id));
    message.mutable_fetch()->set_order_id(request.order_id);
    message.mutable_fetch()->set_device_id(request.device_id);
  } else {
    message.mutable_issue()->set_request_id(to_wire(request.request_id));
    message.mutable_issue()->set_order_id(request.order_id);
    message.mutable_issue()->set_device_id(request.device_id);
    message.mutable_issue()->set_csr_der(request.csr_der.data(), request.csr_der.size());
  }
  LS_CHECK(queue(message));
  unanswered_.insert(request.request_id);
  return {};
}

Result<void> ClientSession::flush() { return send_unsent(); }

Result<void> ClientSession::take_arrived() {
  plaintext_.clear();
  auto received = connection_->receive(plaintext_);
  if (!plaintext_.empty()) {
    last_heard_ = steady_now();
    is_ping_sent_ = false;
  }
  // What came before the end counts: it may be an answer, or the reason.
  frames_.append(plaintext_);
  for (;;) {
    auto body = frames_.next();
    if (!body.has_value()) return lose(std::move(body).error());
    const std::optional<ByteView> frame = *body;
    if (!frame) break;
    auto taken = take_message(*frame);
    if (!taken.has_value()) return lose(std::move(taken).error());
  }
  if (!received.has_value()) return lose(std::move(received).error());
  return {};
}

Result<void> ClientSession::take_message(ByteView body) {
  LS_CHECK(decode_body(body, received_));
  switch (received_.body_case()) {
    case wire::ToStation::kIssue:
      return take_issue_reply(*received_.mutable_issue());
    case wire::ToStation::kWelcome:
      return take_welcome(received_.welcome());
    case wire::ToStation::kConfirm:
      if (awaited_id_ && as_text(*awaited_id_) == received_.confirm().request_id())
        awaited_confirm_ = received_.confirm();
      return {};
    case wire::ToStation::kPong:
      answered_nonce_ = received_.pong().nonce();
      return {};
    case wire::ToStation::kGoodbye:
      return fail(to_error(received_.goodbye().reason()));
    default:
      return fail(ErrorCode::MessageUnknown, "from the appliance");
  }
}

Result<void> ClientSession::take_issue_reply(wire::IssueReply& message) {
  LS_TRY(IssueReply reply, to_reply(message));
  if (awaited_id_ && *awaited_id_ == reply.request_id) {
    awaited_fetch_ = std::move(reply);
    return {};
  }
  if (unanswered_.erase(reply.request_id) == 0)
    return fail(ErrorCode::FrameMalformed, "an answer that nobody waits for");
  replies_.push_back(std::move(reply));
  return {};
}

Result<void> ClientSession::keep_alive() {
  const SteadyTime time = steady_now();
  if (time < silence_ends_at()) return {};
  if (is_ping_sent_)
    return lose(Error(ErrorCode::ConnectionClosed, "the appliance has fallen silent"));
  if (!is_welcome_) return {};
  is_ping_sent_ = true;
  ping_sent_at_ = time;
  wire::ToAppliance message;
  message.mutable_ping()->set_nonce(next_nonce_++);
  LS_CHECK(queue(message));
  return send_unsent();
}

template <typename Predicate>
Result<void> ClientSession::wait_until(SteadyTime deadline, Predicate has_answer) {
  LS_CHECK(send_unsent());
  for (;;) {
    auto arrived = take_arrived();
    if (has_answer()) return {};
    LS_CHECK(arrived);
    LS_CHECK(keep_alive());
    const SteadyTime time = steady_now();
    if (time >= deadline) return fail(ErrorCode::FrameTimeout, "no answer in time");
    const SteadyTime wake = is_welcome_ ? std::min(deadline, silence_ends_at()) : deadline;
    auto ready = connection_->wait(wake);
    if (!ready.has_value() && ready.error().code() == ErrorCode::Interrupted)
      return fail(std::move(ready).error());
    if (!ready.has_value()) return lose(std::move(ready).error());
  }
}

template <typename Predicate>
Result<void> ClientSession::await(Predicate has_answer) {
  auto waited = wait_until(steady_now() + 2 * options_.keep_alive, has_answer);
  if (!waited.has_value() && connection_ && waited.error().code() == ErrorCode::FrameTimeout)
    return lose(Error(ErrorCode::ConnectionClosed, "no answer in time"));
  return waited;
}

Result<std::optional<IssueReply>> ClientSession::next(SteadyTime deadline) {
  if (replies_.empty()) {
    auto waited = wait_until(deadline, [this] { return !replies_.empty(); });
    if (!waited.has_value() && waited.error().code() != ErrorCode::FrameTimeout)
      return fail(std::move(waited).error());
    if (!waited.has_value() && !connection_) return fail(why_lost());
  }
  if (replies_.empty()) return std::optional<IssueReply>();
  std::optional<IssueReply> reply(std::move(replies_.front()));
  replies_.pop_front();
  return reply;
}

// --- One at a time -------------------------------------------------------------------------------

Result<void> ClientSession::check(ByteView csr_der, ByteView certificate_der) const {
  const auto outline = outline_csr(csr_der);
  if (!outline) return fail(ErrorCode::CsrMalformed);
  LS_TRY(auto checker, CertificateChecker::open(issuer_chain_));
  return checker.check(certificate_der, outline->spki);
}

Result<std::optional<Bytes>> ClientSession::try_request(const IssueRequest& request,
                                                        SteadyTime give_up,
                                                        std::chrono::milliseconds& wait,
                                                        Error& last_error) {
  if (!connection_) LS_CHECK(connect());
  LS_CHECK(submit(request, false));
  LS_TRY(auto reply, next(give_up));
  if (!reply) return std::optional<Bytes>();
  if (reply->status == IssueStatus::Issued) {
    LS_CHECK(check(request.csr_der, reply->certificate_der));
    return std::optional<Bytes>(std::move(reply->certificate_der));
  }
  Error error = reply->failure.to_error(reply->status);
  if (reply->status == IssueStatus::TryLater) {
    wait = retry_delay(reply->failure.retry_after);
    last_error = std::move(error);
    return std::optional<Bytes>();
  }
  // The device may have its certificate from another CSR of the same key.
  if (error.code() == ErrorCode::DeviceExists) {
    LS_TRY(Bytes existing, fetch(request.device_id, request.order_id));
    if (check(request.csr_der, existing).has_value())
      return std::optional<Bytes>(std::move(existing));
  }
  return fail(std::move(error));
}

Result<Bytes> ClientSession::request_certificate(const IssueRequest& request, SteadyTime give_up) {
  if (!unanswered_.empty() || !replies_.empty())
    return fail(ErrorCode::Usage, "requests are unanswered; take their answers with next() first");
  LS_CHECK(check_device_id(request.device_id));
  LS_CHECK(check_order_id(request.order_id));
  Backoff backoff;
  Error last_error(ErrorCode::Unavailable, "no answer in time");
  for (;;) {
    std::chrono::milliseconds wait{0};
    auto tried = try_request(request, give_up, wait, last_error);
    if (tried.has_value()) {
      std::optional<Bytes> certificate = std::move(*tried);
      if (certificate) return std::move(*certificate);
    } else {
      // A final answer leaves the connection open; only a lost one is worth another.
      if (connection_ || !is_worth_reconnecting(tried.error()))
        return fail(std::move(tried).error());
      last_error = std::move(tried).error();
      wait = backoff.next_after(last_error, is_welcome_);
    }
    const SteadyTime wake = std::min(steady_now() + backoff.scatter(wait), give_up);
    LS_TRY([[maybe_unused]] const bool unused, wait_for(-1, 0, wake, options_.cancel_descriptor));
    if (steady_now() < give_up) continue;
    if (!unanswered_.empty()) static_cast<void>(lose(last_error));  // its answer may still come
    return fail(std::move(last_error));
  }
}

Result<Bytes> ClientSession::fetch(std::string_view device_id, std::string_view order_id) {
  wire::ToAppliance message;
  const RequestId id = random_request_id();
  message.mutable_fetch()->set_request_id(to_wire(id));
  message.mutable_fetch()->set_order_id(std::string(order_id));
  message.mutable_fetch()->set_device_id(std::string(device_id));
  LS_CHECK(queue(message));
  awaited_id_ = id;
  awaited_fetch_.reset();
  LS_CHECK(await([this] { return awaited_fetch_.has_value(); }));
  awaited_id_.reset();
  IssueReply reply = awaited_fetch_.value_or(IssueReply());
  if (reply.status == IssueStatus::Issued) return std::move(reply.certificate_der);
  return fail(reply.failure.to_error(reply.status));
}

Result<void> ClientSession::confirm(std::string_view device_id,
                                    const Sha256& proof,
                                    std::string_view order_id) {
  wire::ToAppliance message;
  const RequestId id = random_request_id();
  message.mutable_confirm()->set_request_id(to_wire(id));
  message.mutable_confirm()->set_order_id(std::string(order_id));
  message.mutable_confirm()->set_device_id(std::string(device_id));
  message.mutable_confirm()->set_proof(std::string(as_text(proof)));
  LS_CHECK(queue(message));
  awaited_id_ = id;
  awaited_confirm_.reset();
  LS_CHECK(await([this] { return awaited_confirm_.has_value(); }));
  awaited_id_.reset();
  const wire::ConfirmReply reply = awaited_confirm_.value_or(wire::ConfirmReply());
  if (reply.status() == wire::STATUS_OK) return {};
  const bool is_later = reply.status() == wire::STATUS_TRY_LATER;
  return fail(to_failure(reply.failure())
                  .to_error(is_later ? IssueStatus::TryLater : IssueStatus::Refused));
}

Result<std::chrono::microseconds> ClientSession::ping() {
  wire::ToAppliance message;
  const uint64_t nonce = next_nonce_++;
  message.mutable_ping()->set_nonce(nonce);
  const SteadyTime start = steady_now();
  LS_CHECK(queue(message));
  LS_CHECK(await([this, nonce] { return answered_nonce_ == nonce; }));
  return std::chrono::duration_cast<std::chrono::microseconds>(steady_now() - start);
}

}  // namespace linesign::client
