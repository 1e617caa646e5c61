#include "appliance/bench/lone_station.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "appliance/bench/latency.h"
#include "protocol/base/file.h"
#include "stations/client/backoff.h"

namespace linesign::bench {

Result<std::unique_ptr<LoneStation>> LoneStation::connect(const StationCredential& credential,
                                                          const LoneSettings& settings) {
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop) return fail(ErrorCode::Internal, "eventfd: " + errno_text(errno));
  std::unique_ptr<LoneStation> station(new LoneStation(settings, std::move(stop)));
  ClientOptions options;
  options.software = "linesign-bench lone";
  LS_TRY(station->client_, StationClient::connect(credential, options));
  return station;
}

LoneStation::~LoneStation() { static_cast<void>(stop()); }

void LoneStation::start() {
  thread_ = std::thread([this] { run(); });
}

LoneResult LoneStation::stop() {
  const uint64_t one = 1;
  static_cast<void>(::write(stop_.get(), &one, sizeof one));
  if (thread_.joinable()) thread_.join();
  result_.latency = latency_.summarize();
  return result_;
}

void LoneStation::run() {
  next_at_ = now();
  while (wait()) {
    if (take_answers().has_value() && send_what_is_due().has_value()) continue;
    ++result_.refused["ConnectionClosed"];
    return;
  }
}

Result<void> LoneStation::send_what_is_due() {
  const SteadyTime time = now();
  if (next_at_ <= time && next_request_ < settings_.requests.size()) {
    later_.emplace(time, Pending{&settings_.requests[next_request_++], time});
    next_at_ += settings_.interval;
  }
  while (!later_.empty() && later_.begin()->first <= time &&
         in_flight_.size() < client_->window()) {
    const Pending pending = later_.extract(later_.begin()).mapped();
    in_flight_.emplace(pending.request->request_id, pending);
    LS_CHECK(client_->submit(*pending.request));
  }
  return client_->flush();
}

Result<void> LoneStation::take_answers() {
  for (;;) {
    LS_TRY(const auto reply, client_->next(std::chrono::milliseconds(0)));
    if (!reply) return {};
    take(*reply);
  }
}

void LoneStation::take(const IssueReply& reply) {
  const auto node = in_flight_.extract(reply.request_id);
  if (node.empty()) return;
  const Pending& pending = node.mapped();
  const SteadyTime time = now();
  switch (reply.status) {
    case IssueStatus::Issued:
      return latency_.add(
          std::chrono::duration_cast<std::chrono::microseconds>(time - pending.first_sent));
    case IssueStatus::Refused:
      ++result_.refused[reply.failure.name];
      return;
    case IssueStatus::TryLater:
      ++result_.later[reply.failure.name];
      later_.emplace(time + client::retry_delay(reply.failure.retry_after), pending);
      return;
  }
}

SteadyTime LoneStation::next_due() const {
  SteadyTime due =
      next_request_ < settings_.requests.size() ? next_at_ : now() + std::chrono::seconds(1);
  if (!later_.empty()) due = std::min(due, later_.begin()->first);
  return due;
}

bool LoneStation::wait() const {
  std::array<pollfd, 2> events = {
      pollfd{.fd = stop_.get(), .events = POLLIN, .revents = 0},
      pollfd{.fd = client_->descriptor(), .events = POLLIN, .revents = 0}};
  if (client_->has_unsent()) events[1].events |= POLLOUT;
  const auto left = std::max(next_due() - now(), SteadyTime::duration(0));
  const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
  const timespec limit{.tv_sec = seconds.count(),
                       .tv_nsec = static_cast<long>((left - seconds).count())};
  // A failed poll is a turn too many, no more.
  return ::ppoll(events.data(), events.size(), &limit, nullptr) <= 0 || events[0].revents == 0;
}

}  // namespace linesign::bench
