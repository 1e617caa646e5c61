#include "stations/session/session.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "protocol/base/secret.h"
#include "stations/session/failure.h"

namespace linesign {

using station::v1::ToAppliance;
using station::v1::ToStation;

// What a message does in a state: it is handled, or it ends the session with an error.
struct Session::Rules {
  struct Rule {
    Handler handler = nullptr;
    ErrorCode error = ErrorCode::MessageUnknown;
  };
  static constexpr size_t kMessages = 7;  // of ToAppliance, and "none that we know"
  using Row = std::array<Rule, kMessages>;
  static const std::array<Row, 4> kTable;  // of all states but Closing

  static_assert(ToAppliance::BODY_NOT_SET == 0 && ToAppliance::kHello == 1 &&
                ToAppliance::kIssue == 2 && ToAppliance::kFetch == 3 &&
                ToAppliance::kConfirm == 4 && ToAppliance::kPing == 5 && ToAppliance::kEnroll == 6);
  static_assert(static_cast<int>(State::WaitHello) == 0 &&
                static_cast<int>(State::WaitEnroll) == 1 && static_cast<int>(State::Ready) == 2 &&
                static_cast<int>(State::Enrolling) == 3 && static_cast<int>(State::Closing) == 4);
};

namespace {

constexpr size_t kReplyOverheadBytes = 64;  // of an IssueReply, beyond its certificate

// The station's own bytes, so that it can match the answer, but never more than a request id has.
std::string_view echo(const std::string& request_id) {
  return std::string_view(request_id).substr(0, kRequestIdBytes);
}

Result<RequestId> check_request_id(const std::string& bytes) {
  if (bytes.size() != kRequestIdBytes)
    return fail(ErrorCode::FieldInvalid,
                fmt::format("request_id has {} bytes, not {}", bytes.size(), kRequestIdBytes));
  RequestId id{};
  std::copy(bytes.begin(), bytes.end(), id.begin());
  return id;
}

// The three fields that issue, fetch and confirm begin with.
template <typename Request>
Result<RequestId> check_request(const Request& request) {
  LS_TRY(const RequestId id, check_request_id(request.request_id()));
  LS_CHECK(check_order_id(request.order_id()));
  LS_CHECK(check_device_id(request.device_id()));
  return id;
}

Result<void> check_csr_size(size_t bytes) {
  if (bytes == 0) return fail(ErrorCode::CsrEmpty);
  if (bytes > kMaxCsrBytes)
    return fail(ErrorCode::CsrTooLarge, fmt::format("{} bytes, at most {}", bytes, kMaxCsrBytes));
  return {};
}

Result<RequestId> check_issue(const station::v1::IssueRequest& request) {
  LS_TRY(const RequestId id, check_request(request));
  LS_CHECK(check_csr_size(request.csr_der().size()));
  return id;
}

Result<RequestId> check_confirm(const station::v1::Confirm& request) {
  LS_TRY(const RequestId id, check_request(request));
  if (request.proof().size() != sizeof(Sha256))
    return fail(ErrorCode::FieldInvalid,
                fmt::format("proof has {} bytes, not {}", request.proof().size(), sizeof(Sha256)));
  return id;
}

// A join secret that was not accepted may still be good.
void wipe_secret(ToAppliance& message) {
  if (!message.has_enroll()) return;
  std::string& secret = *message.mutable_enroll()->mutable_secret();
  wipe({reinterpret_cast<uint8_t*>(secret.data()), secret.size()});
}

Result<void> check_enroll(const station::v1::EnrollRequest& request) {
  if (request.secret().empty() || request.secret().size() > kMaxEnrollSecretBytes)
    return fail(ErrorCode::FieldInvalid, "secret");
  return check_csr_size(request.csr_der().size());
}

}  // namespace

constexpr std::array<Session::Rules::Row, 4> Session::Rules::kTable = [] {
  constexpr Rule kHelloFirst{nullptr, ErrorCode::HelloExpected};
  constexpr Rule kUnknown{nullptr, ErrorCode::MessageUnknown};
  constexpr Rule kAgain{nullptr, ErrorCode::HelloRepeated};
  constexpr Rule kHello{&Session::on_hello};
  constexpr Rule kIssue{&Session::on_issue};
  constexpr Rule kFetch{&Session::on_fetch};
  constexpr Rule kConfirm{&Session::on_confirm};
  constexpr Rule kPing{&Session::on_ping};
  constexpr Rule kEnroll{&Session::on_enroll};
  // clang-format off
  return std::array<Row, 4>{{
      //             none         hello      issue        fetch        confirm      ping         enroll
      /*WaitHello */ {kHelloFirst, kHello,    kHelloFirst, kHelloFirst, kHelloFirst, kHelloFirst, kHelloFirst},
      /*WaitEnroll*/ {kUnknown,    kUnknown,  kUnknown,    kUnknown,    kUnknown,    kUnknown,    kEnroll},
      /*Ready     */ {kUnknown,    kAgain,    kIssue,      kFetch,      kConfirm,    kPing,       kUnknown},
      /*Enrolling */ {kUnknown,    kUnknown,  kUnknown,    kUnknown,    kUnknown,    kUnknown,    kUnknown},
  }};
  // clang-format on
}();

std::shared_ptr<Session> Session::for_station(SessionHost& host,
                                              StationIdentity station,
                                              std::function<void()> on_output) {
  return std::shared_ptr<Session>(
      new Session(host, State::WaitHello, std::move(station), std::move(on_output)));
}

std::shared_ptr<Session> Session::for_enrollment(SessionHost& host,
                                                 Stranger peer,
                                                 std::function<void()> on_output) {
  std::shared_ptr<Session> session(new Session(host, State::WaitEnroll, {}, std::move(on_output)));
  session->peer_ = std::move(peer);
  return session;
}

std::shared_ptr<Session> Session::for_goodbye(SessionHost& host,
                                              const Refusal& reason,
                                              std::function<void()> on_output) {
  std::shared_ptr<Session> session(new Session(host, State::WaitHello, {}, std::move(on_output)));
  session->close(reason);
  return session;
}

Session::Session(SessionHost& host,
                 State state,
                 StationIdentity station,
                 std::function<void()> on_output)
    : host_(host), state_(state), station_(std::move(station)), on_output_(std::move(on_output)) {}

void Session::receive(ByteView plaintext) {
  if (is_closing()) return;
  reader_.append(plaintext);
  while (!is_closing()) {
    const auto frame = reader_.next();
    if (!frame) return close(frame.error());
    const std::optional<ByteView>& body = *frame;
    if (!body) break;
    ++frames_received_;
    handle_frame(*body);
  }
  reader_.trim();
}

void Session::handle_frame(ByteView body) {
  auto* message = google::protobuf::Arena::CreateMessage<ToAppliance>(&host_.request_memory);
  const auto decoded = decode_body(body, *message);
  if (decoded) {
    const auto& rule = Rules::kTable[static_cast<size_t>(state_)][message->body_case()];
    if (rule.handler != nullptr) {
      (this->*rule.handler)(*message);
    } else {
      close(Error(rule.error));
    }
  } else {
    close(decoded.error());
  }
  wipe_secret(*message);
  host_.request_memory.Reset();
}

Result<void> Session::check_hello(const station::v1::Hello& hello) const {
  if (hello.min_version() > kProtocolVersion || hello.max_version() < kProtocolVersion)
    return fail(ErrorCode::VersionUnsupported,
                fmt::format("the station speaks {} to {}, the appliance {}",
                            hello.min_version(),
                            hello.max_version(),
                            kProtocolVersion));
  if (hello.software().size() > kMaxSoftwareBytes)
    return fail(ErrorCode::FieldInvalid, "software is longer than 64 bytes");
  if (hello.max_frame_bytes() != 0 && hello.max_frame_bytes() < kMinStationFrameBytes)
    return fail(ErrorCode::FieldInvalid, "max_frame_bytes is less than 1024");
  return {};
}

void Session::on_hello(const ToAppliance& message) {
  const auto& hello = message.hello();
  if (const auto checked = check_hello(hello); !checked) return close(checked.error());
  if (hello.max_frame_bytes() != 0)
    station_max_frame_ = std::min<size_t>(hello.max_frame_bytes(), kMaxFrameBytes);
  ToStation reply;
  auto& welcome = *reply.mutable_welcome();
  welcome.set_version(kProtocolVersion);
  welcome.set_software(host_.settings.software);
  welcome.set_station(station_.name);
  welcome.set_window(host_.settings.window);
  welcome.set_max_frame_bytes(kMaxFrameBytes);
  for (const Bytes& certificate : host_.service.issuer_chain())
    welcome.add_issuer_chain(certificate.data(), certificate.size());
  state_ = State::Ready;
  if (!send(reply))
    close(Error(ErrorCode::FieldInvalid,
                fmt::format("max_frame_bytes: Welcome has {} bytes", reply.ByteSizeLong())));
}

tl::expected<void, Refusal> Session::admit() {
  ++host_.requests;
  if (host_.draining)
    return tl::unexpected(Refusal{Error(ErrorCode::Draining), host_.settings.drain_retry_after});
  if (unanswered_ >= host_.settings.window) {
    ++host_.busy;
    return tl::unexpected(Refusal{Error(ErrorCode::Busy), host_.settings.busy_retry_after});
  }
  return {};
}

void Session::on_issue(const ToAppliance& message) {
  const auto& request = message.issue();
  const auto id = check_issue(request);
  if (!id) return refuse_issue(echo(request.request_id()), {id.error(), {}});
  if (const auto admitted = admit(); !admitted)
    return refuse_issue(request.request_id(), admitted.error());
  const IssueCall call{.request_id = *id,
                       .order_id = request.order_id(),
                       .device_id = request.device_id(),
                       .csr_der = as_bytes(request.csr_der())};
  host_.service.issue(station_, call, certificate_reply(*id));
}

void Session::on_fetch(const ToAppliance& message) {
  const auto& request = message.fetch();
  const auto id = check_request(request);
  if (!id) return refuse_issue(echo(request.request_id()), {id.error(), {}});
  if (const auto admitted = admit(); !admitted)
    return refuse_issue(request.request_id(), admitted.error());
  const FetchCall call{.order_id = request.order_id(), .device_id = request.device_id()};
  host_.service.fetch(station_, call, certificate_reply(*id));
}

void Session::on_confirm(const ToAppliance& message) {
  const auto& request = message.confirm();
  const auto id = check_confirm(request);
  if (!id) return refuse_confirm(echo(request.request_id()), {id.error(), {}});
  if (const auto admitted = admit(); !admitted)
    return refuse_confirm(request.request_id(), admitted.error());
  ConfirmCall call{.order_id = request.order_id(), .device_id = request.device_id()};
  std::copy(request.proof().begin(), request.proof().end(), call.certificate_hash.begin());
  host_.service.confirm(station_,
                        call,
                        [weak = weak_from_this(),
                         ticket = open_slot(*id)](const tl::expected<void, Refusal>& outcome) {
                          if (const auto self = weak.lock()) self->answer_confirm(ticket, outcome);
                        });
}

void Session::on_ping(const ToAppliance& message) {
  host_.reply.mutable_pong()->set_nonce(message.ping().nonce());
  send(host_.reply);
}

void Session::on_enroll(const ToAppliance& message) {
  const auto& request = message.enroll();
  if (const auto checked = check_enroll(request); !checked)
    return answer_enroll(fail(checked.error()));
  if (host_.draining) return answer_enroll(fail(ErrorCode::Draining));
  state_ = State::Enrolling;
  ++unanswered_;
  const EnrollCall call{.secret = as_bytes(request.secret()),
                        .csr_der = as_bytes(request.csr_der()),
                        .peer_host = peer_.host,
                        .peer_source = peer_.source};
  host_.service.enroll(call, [weak = weak_from_this()](const Result<Enrolled>& outcome) {
    const auto self = weak.lock();
    if (self == nullptr || self->state_ != State::Enrolling) return;
    self->unanswered_ = 0;
    self->answer_enroll(outcome);
  });
}

Session::Ticket Session::open_slot(const RequestId& request_id) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const uint32_t index = free_slots_.back();
  free_slots_.pop_back();
  Slot& slot = slots_[index];
  slot.request_id = request_id;
  slot.is_open = true;
  ++slot.generation;
  ++unanswered_;
  return {index, slot.generation};
}

Session::Slot* Session::find_slot(Ticket ticket) {
  Slot& slot = slots_[ticket.slot];
  return slot.is_open && slot.generation == ticket.generation ? &slot : nullptr;
}

void Session::release_slot(Ticket ticket) {
  slots_[ticket.slot].is_open = false;
  free_slots_.push_back(ticket.slot);
  --unanswered_;
}

CertificateReply Session::certificate_reply(const RequestId& request_id) {
  return [weak = weak_from_this(),
          ticket = open_slot(request_id)](const tl::expected<ByteView, Refusal>& outcome) {
    const auto self = weak.lock();
    return self != nullptr && self->answer_certificate(ticket, outcome);
  };
}

bool Session::answer_certificate(Ticket ticket, const tl::expected<ByteView, Refusal>& outcome) {
  const Slot* slot = find_slot(ticket);
  if (slot == nullptr) return false;
  const RequestId id = slot->request_id;
  release_slot(ticket);
  if (is_closing()) return false;
  if (!outcome) {
    refuse_issue(as_text(id), outcome.error());
    return true;
  }
  if (outcome->size() + kReplyOverheadBytes > station_max_frame_) {
    const std::string detail = fmt::format(
        "max_frame_bytes: the certificate has {} bytes, Hello "
        "allowed frames of {}",
        outcome->size(),
        station_max_frame_);
    refuse_issue(as_text(id), {Error(ErrorCode::FieldInvalid, detail), {}});
    return false;
  }
  // The message keeps its strings from answer to answer, so this allocates nothing.
  auto& issue = *host_.reply.mutable_issue();
  issue.Clear();
  issue.set_request_id(id.data(), id.size());
  issue.set_status(station::v1::STATUS_OK);
  issue.set_certificate_der(outcome->data(), outcome->size());
  return send(host_.reply);
}

void Session::answer_confirm(Ticket ticket, const tl::expected<void, Refusal>& outcome) {
  const Slot* slot = find_slot(ticket);
  if (slot == nullptr) return;
  const RequestId id = slot->request_id;
  release_slot(ticket);
  if (is_closing()) return;
  if (!outcome) return refuse_confirm(as_text(id), outcome.error());
  auto& confirm = *host_.reply.mutable_confirm();
  confirm.Clear();
  confirm.set_request_id(id.data(), id.size());
  confirm.set_status(station::v1::STATUS_OK);
  send(host_.reply);
}

void Session::answer_enroll(const Result<Enrolled>& outcome) {
  ToStation reply;
  auto& enroll = *reply.mutable_enroll();
  if (outcome) {
    enroll.set_status(station::v1::STATUS_OK);
    enroll.set_station(outcome->station);
    enroll.set_certificate_der(outcome->certificate_der.data(), outcome->certificate_der.size());
    enroll.set_ca_certificate_der(outcome->ca_certificate_der.data(),
                                  outcome->ca_certificate_der.size());
  } else {
    enroll.set_status(wire_status(outcome.error()));
    fill_failure(*enroll.mutable_failure(), outcome.error(), {});
  }
  state_ = State::Closing;
  send(reply);
}

void Session::refuse_issue(std::string_view request_id, const Refusal& refusal) {
  auto& issue = *host_.reply.mutable_issue();
  issue.Clear();
  issue.set_request_id(request_id.data(), request_id.size());
  issue.set_status(wire_status(refusal.error));
  fill_failure(*issue.mutable_failure(), refusal.error, refusal.retry_after);
  note_return(refusal);
  send(host_.reply);
}

void Session::refuse_confirm(std::string_view request_id, const Refusal& refusal) {
  auto& confirm = *host_.reply.mutable_confirm();
  confirm.Clear();
  confirm.set_request_id(request_id.data(), request_id.size());
  confirm.set_status(wire_status(refusal.error));
  fill_failure(*confirm.mutable_failure(), refusal.error, refusal.retry_after);
  note_return(refusal);
  send(host_.reply);
}

void Session::note_return(const Refusal& refusal) {
  if (refusal.retry_after > std::chrono::milliseconds(0))
    returns_.push(std::chrono::steady_clock::now() + refusal.retry_after);
}

std::optional<SteadyTime> Session::rests_until(SteadyTime now) {
  while (!returns_.empty() && returns_.top() <= now) returns_.pop();
  if (returns_.size() < host_.settings.window || is_closing()) return std::nullopt;
  return returns_.top();
}

void Session::close(const Refusal& reason) {
  if (is_closing()) return;
  state_ = State::Closing;
  ToStation goodbye;
  fill_failure(*goodbye.mutable_goodbye()->mutable_reason(), reason.error, reason.retry_after);
  send(goodbye);
}

bool Session::send(const ToStation& message) {
  if (message.ByteSizeLong() > station_max_frame_) return false;
  append_frame(output_.tail(), message);
  on_output_();
  return true;
}

}  // namespace linesign
