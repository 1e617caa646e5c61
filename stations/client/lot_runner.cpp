#include "stations/client/lot_runner.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "stations/client/connection.h"
#include "stations/client/der.h"

namespace linesign::client {
namespace {

constexpr std::chrono::milliseconds kTick{200};  // of progress and of the connection's keep-alive
constexpr size_t kMaxPendingWrites = 4096;
constexpr size_t kMaxNamed = 100;
constexpr int kExitUnavailable = 69;
constexpr int kExitTryLater = 75;
constexpr int kExitRefused = 65;
constexpr int kExitNotStored = 74;

unsigned default_threads() {
  const unsigned processors = std::thread::hardware_concurrency();
  return processors > 1 ? processors - 1 : 1;
}

// No other request of this order can succeed either.
bool concerns_order(ErrorCode code) {
  return code == ErrorCode::OrderUnknown || code == ErrorCode::OrderClosed ||
         code == ErrorCode::OrderExhausted;
}

}  // namespace

int LotResult::exit_code() const {
  if (!stopped_by && progress.not_stored > 0) return kExitNotStored;
  if (!stopped_by) return progress.refused == 0 ? 0 : kExitRefused;
  if (!gave_up) return stopped_by->exit_code();
  return stopped_by->exit_code() == kExitUnavailable ? kExitUnavailable : kExitTryLater;
}

size_t LotRunner::HashRequestId::operator()(const RequestId& id) const {
  size_t hash = 0;  // the id is a hash already
  std::memcpy(&hash, id.data(), sizeof hash);
  return hash;
}

LotResult LotRunner::run() {
  const SteadyTime start = steady_now();
  last_progress_ = start;
  result_.progress.total = source_.size();
  while (!is_stopped_) {
    const bool was_finished = is_finished();
    collect();
    if (was_finished) break;
    step();
  }
  if (workers_) {
    workers_->stop_preparing();
    workers_->finish();
    collect();
  }
  if (halted_by_ && !result_.stopped_by) result_.stopped_by = halted_by_;
  auto synced = out_.sync();
  if (!synced.has_value() && !result_.stopped_by) result_.stopped_by = std::move(synced).error();
  result_.elapsed = steady_now() - start;
  observer_.on_progress(result_.progress);
  return std::move(result_);
}

// One turn of the loop. Nothing in it waits but connect() and wait().
void LotRunner::step() {
  if (!is_connected_ && steady_now() >= connect_at_) connect();
  if (is_connected_) {
    auto talked = talk();
    if (!talked.has_value()) lose_connection(std::move(talked).error());
  }
  check_patience();
  observer_.on_progress(result_.progress);
  if (!is_stopped_) wait();
}

void LotRunner::connect() {
  Result<void> connected;
  if (client_) {
    connected = client_->reconnect();
  } else {
    auto client = StationClient::connect(credential_, options_.client);
    if (client.has_value())
      client_ = std::move(*client);
    else
      connected = fail(std::move(client).error());
  }
  if (!connected.has_value()) return lose_connection(std::move(connected).error());
  is_connected_ = true;
  auto issuers = std::make_shared<Issuers>();
  issuers->chain = client_->issuer_chain();
  for (const Bytes& der : issuers->chain) issuers->chain_pem += to_pem("CERTIFICATE", der);
  issuers_ = std::move(issuers);
  if (workers_) return;
  // Only now: no keys are made for an appliance that does not want this station.
  auto workers = LotWorkers::start(
      source_, out_, options_.threads != 0 ? options_.threads : default_threads());
  if (!workers.has_value()) return stop(std::move(workers).error());
  workers_ = std::move(*workers);
}

void LotRunner::lose_connection(Error error) {
  const bool had_session = std::exchange(is_connected_, false);
  for (auto& [id, request] : in_flight_)
    wait_with(std::move(request), std::chrono::milliseconds(0));
  in_flight_.clear();
  if (!is_worth_reconnecting(error)) return stop(std::move(error));
  const auto delay = backoff_.next_after(error, had_session);
  connect_at_ = steady_now() + delay;
  observer_.on_note(fmt::format(
      "{} Next try in {:.1f} s.", error.to_string(), std::chrono::duration<double>(delay).count()));
  last_trouble_ = std::move(error);
}

Result<void> LotRunner::talk() {
  for (;;) {
    LS_TRY(auto reply, client_->next(std::chrono::milliseconds(0)));
    if (!reply) break;
    take_reply(std::move(*reply));
  }
  LS_CHECK(fill_window());
  return client_->flush();
}

bool LotRunner::may_start_new() const {
  // What waits counts too: while the appliance says "later", the lot must not pile up here.
  return !halted_by_ && waiting_.size() < window() && workers_->pending() < kMaxPendingWrites;
}

std::optional<LotRunner::Request> LotRunner::next_request() {
  if (!waiting_.empty() && waiting_.top().due <= steady_now()) {
    // top() is const only to protect the order, which pop() leaves behind.
    Request request = std::move(const_cast<Waiting&>(waiting_.top()).request);
    waiting_.pop();
    return request;
  }
  if (!may_start_new()) return {};
  auto item = workers_->take_ready();
  if (!item) return {};
  return Request{std::move(*item), {}};
}

size_t LotRunner::window() const {
  return options_.window == 0 ? client_->window() : std::min(options_.window, client_->window());
}

Result<void> LotRunner::fill_window() {
  while (in_flight_.size() < window()) {
    auto request = next_request();
    if (!request) return {};
    // Two files with the same content: one after the other.
    if (in_flight_.contains(request->item.request.request_id))
      wait_with(std::move(*request), kTick);
    else
      LS_CHECK(send(std::move(*request)));
  }
  return {};
}

Result<void> LotRunner::send(Request request) {
  const IssueRequest& wanted = request.item.request;
  const RequestId id = wanted.request_id;
  auto sent = request.refusal ? client_->submit_fetch(wanted) : client_->submit(wanted);
  if (!sent.has_value() && client_->descriptor() >= 0) {  // nothing wrong with the connection
    record({LotEnd::Refused, wanted.device_id, std::move(request.item.origin), sent.error()});
    return {};
  }
  in_flight_.emplace(id, std::move(request));
  return sent;
}

void LotRunner::take_reply(IssueReply reply) {
  auto node = in_flight_.extract(reply.request_id);
  if (node.empty()) return;
  Request request = std::move(node.mapped());
  switch (reply.status) {
    case IssueStatus::Issued:
      last_progress_ = steady_now();
      backoff_.reset();
      workers_->add({std::move(request.item),
                     std::move(reply.certificate_der),
                     issuers_,
                     std::move(request.refusal)});
      return;
    case IssueStatus::TryLater:
      last_trouble_ = reply.failure.to_error(reply.status);
      wait_with(std::move(request), backoff_.scatter(retry_delay(reply.failure.retry_after)));
      return;
    case IssueStatus::Refused:
      last_progress_ = steady_now();
      backoff_.reset();
      take_refusal(std::move(request), reply.failure);
      return;
  }
}

void LotRunner::take_refusal(Request request, const ApplianceFailure& failure) {
  Error error = failure.to_error(IssueStatus::Refused);
  // It may be certified with this very key, under a request id that was lost with its CSR.
  if (error.code() == ErrorCode::DeviceExists && !request.refusal) {
    request.refusal = std::move(error);
    return wait_with(std::move(request), std::chrono::milliseconds(0));
  }
  if (request.refusal) error = std::move(*request.refusal);
  if (concerns_order(error.code()) && !halted_by_) halted_by_ = error;
  record({LotEnd::Refused,
          std::move(request.item.request.device_id),
          std::move(request.item.origin),
          std::move(error)});
}

void LotRunner::wait_with(Request request, std::chrono::milliseconds delay) {
  waiting_.push({steady_now() + delay, waiting_order_++, std::move(request)});
}

void LotRunner::collect() {
  if (!workers_) return;
  workers_->clear_wake();
  for (LotOutcome& outcome : workers_->take_outcomes()) {
    last_progress_ = steady_now();
    record(std::move(outcome));
  }
  auto failure = workers_->failure();
  if (failure) stop(std::move(*failure));
}

void LotRunner::record(LotOutcome outcome) {
  if (outcome.end == LotEnd::Issued) ++result_.progress.issued;
  if (outcome.end == LotEnd::AlreadyThere) ++result_.progress.already_there;
  if (!outcome.error) return;
  if (outcome.end == LotEnd::NotStored) {
    ++result_.progress.not_stored;
    observer_.on_refused(outcome);
    if (result_.not_stored.size() < kMaxNamed) result_.not_stored.push_back(std::move(outcome));
    return;
  }
  ++result_.progress.refused;
  observer_.on_refused(outcome);
  RefusalGroup& group = result_.refusals[outcome.error->code()];
  if (group.count++ == 0) group.example = std::move(outcome);
}

bool LotRunner::is_finished() const {
  if (!workers_ || !in_flight_.empty() || !waiting_.empty()) return false;
  return (halted_by_ || workers_->is_source_empty()) && workers_->pending() == 0;
}

// Gives up when there was something to wait for and nothing came for too long.
void LotRunner::check_patience() {
  const bool is_waiting = !is_connected_ || !in_flight_.empty() || !waiting_.empty();
  if (!is_waiting) last_progress_ = steady_now();
  if (is_stopped_ || steady_now() - last_progress_ < options_.give_up) return;
  result_.gave_up = true;
  stop(last_trouble_);
}

void LotRunner::stop(Error error) {
  is_stopped_ = true;
  if (!result_.stopped_by) result_.stopped_by = std::move(error);
}

void LotRunner::wait() {
  SteadyTime wake = steady_now() + kTick;
  if (!is_connected_) wake = std::min(wake, connect_at_);
  if (is_connected_ && !waiting_.empty() && in_flight_.size() < window())
    wake = std::min(wake, waiting_.top().due);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(wake - steady_now());
  const int descriptor = is_connected_ ? client_->descriptor() : -1;
  const bool has_unsent = is_connected_ && client_->has_unsent();
  std::array<pollfd, 3> events = {
      pollfd{descriptor, static_cast<short>(has_unsent ? POLLIN | POLLOUT : POLLIN), 0},
      pollfd{workers_ ? workers_->wake_descriptor() : -1, POLLIN, 0},
      pollfd{options_.client.cancel_descriptor, POLLIN, 0}};
  // A failed poll is a turn of the loop too many, no more.
  const int ready =
      ::poll(events.data(), events.size(), static_cast<int>(std::max<int64_t>(left.count(), 0)));
  if (ready > 0 && events[2].revents != 0) stop(Error(ErrorCode::Interrupted));
}

}  // namespace linesign::client
