#include "appliance/cloud/registration/target_loop.h"

#include <algorithm>
#include <cmath>

#include "appliance/cloud/aws/retry.h"

namespace linesign {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLookAgain(1000);  // for new certificates
constexpr double kFirstHoldMs = 1000;
constexpr double kLongestHoldMs = 60'000;
constexpr int kMostHoldDoublings = 6;

milliseconds hold_time(int holds) {
  const double longest =
      std::min(kLongestHoldMs, kFirstHoldMs * std::exp2(std::min(holds, kMostHoldDoublings)));
  return milliseconds(static_cast<int64_t>(longest * (0.5 + aws::random_fraction() / 2)));
}

}  // namespace

TargetLoop::TargetLoop(LoopParts parts) : parts_(std::move(parts)) {
  progress_.since = parts_.clock->now();  // the first step may take long
}

std::optional<Error> TargetLoop::run(RunMode mode) {
  for (;;) {
    const WayStep done = step();
    count(done);  // also of a step that a stop cut short
    if (done.hold && done.hold->code() == ErrorCode::Interrupted) break;
    note(done);
    if (done.hold) {
      if (mode == RunMode::Once) return done.hold;
      if (!wait_held(*done.hold)) break;
      continue;
    }
    if (done.is_idle && mode != RunMode::Serve) break;
    const milliseconds wait = done.is_idle ? kLookAgain : done.again_after;
    if (!parts_.pause->wait(wait)) break;
  }
  const std::lock_guard lock(mutex_);
  progress_.state = TargetProgress::State::Ended;
  return std::nullopt;
}

WayStep TargetLoop::step() {
  if (!is_prepared_) {
    const auto prepared = parts_.prepare();
    if (!prepared.has_value()) {
      WayStep refused;
      refused.hold = prepared.error();
      return refused;
    }
    is_prepared_ = true;
  }
  return parts_.way->step();
}

// False: stopped.
bool TargetLoop::wait_held(const Error& error) {
  if (error.kind() == ErrorKind::Operator) is_prepared_ = false;
  return parts_.pause->wait(hold_time(holds_ - 1));
}

void TargetLoop::count(const WayStep& step) {
  if (parts_.on_note)
    for (const std::string& note : step.notes) parts_.on_note(note);
  const std::lock_guard lock(mutex_);
  progress_.registered += step.registered;
  progress_.parked += step.parked;
}

void TargetLoop::note(const WayStep& step) {
  // Some of a round may have got through before the others were stopped.
  const bool got_on = step.registered > 0 || step.parked > 0;
  // A step that only begins something is no proof that the obstacle is gone: a task that fails
  // again and again is begun later and later.
  if (got_on || step.is_idle) holds_ = 0;
  if (step.hold) ++holds_;
  bool is_news = false;
  {
    const std::lock_guard lock(mutex_);
    using State = TargetProgress::State;
    const State state = step.hold ? State::Held : step.is_idle ? State::Idle : State::Working;
    const bool same_hold =
        step.hold && progress_.hold && step.hold->code() == progress_.hold->code();
    is_news = step.hold ? !same_hold : progress_.hold.has_value();
    if (state != progress_.state) progress_.since = parts_.clock->now();
    progress_.state = state;
    progress_.hold = step.hold;
  }
  if (is_news) parts_.on_hold(step.hold);
}

TargetProgress TargetLoop::progress() const {
  const std::lock_guard lock(mutex_);
  return progress_;
}

}  // namespace linesign
