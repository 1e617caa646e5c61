#include "appliance/bench/load_station.h"

#include <algorithm>

#include "appliance/bench/latency.h"

namespace linesign::bench {
namespace {

// A handshake blocks the loop, so an appliance that does not answer must not hold it for long.
constexpr std::chrono::seconds kConnectPatience(5);

ClientOptions client_options(const LoadStationSettings& settings) {
  ClientOptions options;
  options.software = "linesign-bench";
  options.connect_timeout = kConnectPatience;
  options.cancel_descriptor = settings.cancel_descriptor;
  return options;
}

}  // namespace

Result<std::unique_ptr<LoadStation>> LoadStation::connect(const StationCredential& credential,
                                                          const LoadStationSettings& settings,
                                                          LoadShared& shared) {
  LS_TRY(auto client, StationClient::connect(credential, client_options(settings)));
  return std::unique_ptr<LoadStation>(new LoadStation(settings, shared, std::move(client)));
}

LoadStation::LoadStation(const LoadStationSettings& settings,
                         LoadShared& shared,
                         std::unique_ptr<StationClient> client)
    : settings_(settings), shared_(shared), client_(std::move(client)) {
  settings_.window = std::min(settings_.window, client_->window());
  in_flight_.reserve(settings_.window);
  timer_ = shared_.loop.make_timer([this] { turn(); });
  watch();
}

void LoadStation::watch() {
  watch_ = shared_.loop.watch(client_->descriptor(),
                              {.read = true, .write = client_->has_unsent()},
                              [this](Readiness /*ready*/) { turn(); });
}

void LoadStation::start() {
  is_started_ = true;
  turn();
}

void LoadStation::end() {
  waiting_ = {};
  turn();
}

void LoadStation::turn() {
  if (!is_connected_) return connect_again();
  if (!talk().has_value()) return lose_connection();
  watch_->wait_for({.read = true, .write = client_->has_unsent()});
  look_whether_idle();
}

Result<void> LoadStation::talk() {
  for (;;) {
    LS_TRY(auto reply, client_->next(std::chrono::milliseconds(0)));
    if (!reply) break;
    take(*reply, now());
  }
  LS_CHECK(fill_window(now()));
  return client_->flush();
}

void LoadStation::take(IssueReply& reply, SteadyTime now) {
  const auto node = in_flight_.extract(reply.request_id);
  if (node.empty()) return;
  const Pending& pending = node.mapped();
  switch (reply.status) {
    case IssueStatus::Issued:
      return take_certificate(pending, reply.certificate_der, now);
    case IssueStatus::Refused:
      count(shared_.refused, reply.failure);
      return;
    case IssueStatus::TryLater:
      count(shared_.later, reply.failure);
      if (shared_.is_ending) return;
      waiting_.push({settings_.hammers
                         ? now
                         : now + backoff_.scatter(client::retry_delay(reply.failure.retry_after)),
                     pending});
      return;
  }
}

void LoadStation::count(AnswerCounts& counts, const ApplianceFailure& failure) {
  if (++counts[failure.name] == 1) shared_.examples.try_emplace(failure.name, failure.message);
}

void LoadStation::take_certificate(const Pending& pending,
                                   const Bytes& certificate,
                                   SteadyTime now) {
  // One of each station; a station checks all, but this machine has an appliance to run besides.
  if (certificates_ == 0 &&
      !client_->check_certificate(pending.request->csr_der, certificate).has_value()) {
    ++shared_.refused["CertificateWrong"];
    return;
  }
  ++certificates_;
  ++shared_.certificates;
  shared_.latency.add(
      std::chrono::duration_cast<std::chrono::microseconds>(now - pending.first_sent));
  last_certificate_ = now;
}

std::optional<LoadStation::Pending> LoadStation::next_pending(SteadyTime now) {
  if (!waiting_.empty() && waiting_.top().due <= now) {
    const Pending pending = waiting_.top().pending;
    waiting_.pop();
    return pending;
  }
  // What waits counts too: while the appliance says "later", a lot does not pile up here.
  const bool may_start_new = !shared_.is_ending && waiting_.size() < settings_.window &&
                             taken_ < settings_.quota.value_or(UINT64_MAX) &&
                             shared_.next_request < shared_.requests.size();
  if (!may_start_new) return {};
  ++taken_;
  return Pending{&shared_.requests[shared_.next_request++], now};
}

Result<void> LoadStation::fill_window(SteadyTime now) {
  while (is_started_ && in_flight_.size() < settings_.window) {
    const auto pending = next_pending(now);
    if (!pending) break;
    in_flight_.emplace(pending->request->request_id, *pending);
    LS_CHECK(client_->submit(*pending->request));
  }
  if (waiting_.empty() || in_flight_.size() >= settings_.window) {
    timer_->stop();
  } else {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(waiting_.top().due - now);
    timer_->start(std::max(left, std::chrono::milliseconds(0)));
  }
  return {};
}

void LoadStation::lose_connection() {
  is_connected_ = false;
  watch_.reset();
  for (const auto& [id, pending] : in_flight_)
    if (!shared_.is_ending) waiting_.push({now(), pending});
  in_flight_.clear();
  look_whether_idle();
  if (!is_idle_) timer_->start(backoff_.next());
}

void LoadStation::connect_again() {
  if (is_idle_) return;
  if (!client_->reconnect().has_value()) return timer_->start(backoff_.next());
  ++shared_.reconnects;
  backoff_.reset();
  is_connected_ = true;
  watch();
  turn();
}

void LoadStation::look_whether_idle() {
  if (is_idle_ || !is_started_ || !in_flight_.empty() || !waiting_.empty()) return;
  const bool has_more = !shared_.is_ending && taken_ < settings_.quota.value_or(UINT64_MAX) &&
                        shared_.next_request < shared_.requests.size();
  if (has_more) return;
  is_idle_ = true;
  shared_.on_idle();
}

}  // namespace linesign::bench
