#include "stations/client/backoff.h"

#include <algorithm>

namespace linesign::client {

std::chrono::milliseconds Backoff::next() {
  const auto half = step_ / 2;
  std::uniform_int_distribution<int64_t> extra(0, half.count());
  step_ = std::min(step_ * 2, kLongest);
  return half + std::chrono::milliseconds(extra(random_));
}

std::chrono::milliseconds Backoff::next_after(const Error& why, bool had_session) {
  const auto delay = next();
  const bool is_full = why.code() == ErrorCode::SessionLimit || why.code() == ErrorCode::Busy;
  return is_full && !had_session ? std::max(delay, scatter(kLongest)) : delay;
}

std::chrono::milliseconds Backoff::scatter(std::chrono::milliseconds time) {
  std::uniform_int_distribution<int64_t> extra(0, time.count() / 4);
  return time + std::chrono::milliseconds(extra(random_));
}

std::chrono::milliseconds retry_delay(std::chrono::milliseconds asked) {
  return std::clamp<std::chrono::milliseconds>(
      asked, std::chrono::milliseconds(10), std::chrono::seconds(60));
}

bool is_worth_reconnecting(const Error& error) {
  switch (error.code()) {
    case ErrorCode::Interrupted:
      return false;
    case ErrorCode::FrameTimeout:
    case ErrorCode::HelloTimeout:
    case ErrorCode::OutputStalled:
      return true;  // this connection is over, the next one may do better
    default:
      return error.kind() == ErrorKind::Retry;
  }
}

}  // namespace linesign::client
