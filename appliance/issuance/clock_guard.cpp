#include "appliance/issuance/clock_guard.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace linesign {
namespace {

// As long as a reference lasts: many small steps are one large step only within this time.
constexpr std::chrono::hours kStepWindow(1);
// Of the clock, which tells whole seconds.
constexpr std::chrono::seconds kResolution(1);

UnixTime first_time_known(const ClockGuard::Known& known, const CaCertificate& ca) {
  return known.ledger.newest_at.value_or(std::max(known.built_on, ca.not_before()));
}

}  // namespace

ClockGuard::ClockGuard(const Clock& clock,
                       Health& health,
                       CaCertificate ca,
                       ClockLimits limits,
                       const Known& known,
                       Save save)
    : clock_(clock),
      health_(health),
      ca_(std::move(ca)),
      limits_(limits),
      built_on_(known.built_on),
      save_(std::move(save)),
      newest_(first_time_known(known, ca_)) {
  const auto& last = known.ledger.last_event;
  if (!last.has_value() || last->kind != ClockEventKind::Doubted) return;
  is_doubted_ = true;
  doubt_kept_ = last->clock_at;
  if (is_ahead(last->clock_at)) ahead_from_ = last->clock_at;
}

ClockGuard::Offset ClockGuard::offset_at(UnixTime now) const {
  return now.time_since_epoch() -
         std::chrono::duration_cast<Offset>(clock_.steady().time_since_epoch());
}

Result<UnixTime> ClockGuard::now() {
  const UnixTime now = clock_.now();
  if (auto error = doubt(now)) {
    health_.set(Cause::Clock, *error);
    keep_doubt(now);
    return fail(std::move(*error));
  }
  trust(now);
  if (now < ca_.not_after()) {
    health_.clear(Cause::Ca);
    return now;
  }
  Error ended(ErrorCode::CaExpired,
              fmt::format("{} ended at {}", ca_.subject_text(), to_iso8601(ca_.not_after())));
  health_.set(Cause::Ca, ended);
  return fail(std::move(ended));
}

std::optional<Error> ClockGuard::doubt(UnixTime now) const {
  // On the way of each certificate: a sentence is made only for a doubt.
  const auto says = [now] { return "it says " + to_iso8601(now); };
  if (now < built_on_)
    return Error(
        ErrorCode::ClockInDoubt,
        fmt::format("{}, before {}, when linesign was built", says(), to_iso8601(built_on_)));
  if (now < ca_.not_before())
    return Error(ErrorCode::ClockInDoubt,
                 fmt::format("{}, before {}, from when the CA certificate is valid",
                             says(),
                             to_iso8601(ca_.not_before())));
  if (is_behind(now))
    return Error(
        ErrorCode::ClockInDoubt,
        fmt::format("{}, before {}, the newest time known here", says(), to_iso8601(newest_)));
  const UnixTime known = std::max({newest_, built_on_, ca_.not_before()});
  if (now > known + limits_.max_ahead)
    return Error(ErrorCode::ClockUnconfirmed,
                 fmt::format("{}; the newest time known here is {}, and max_clock_ahead in "
                             "[issuance] is {} days",
                             says(),
                             to_iso8601(known),
                             std::chrono::floor<std::chrono::days>(limits_.max_ahead).count()));
  return doubt_about_step(now);
}

std::optional<Error> ClockGuard::doubt_about_step(UnixTime now) const {
  if (ahead_from_.has_value() && now + limits_.max_step >= *ahead_from_)
    return Error(ErrorCode::ClockUnconfirmed,
                 fmt::format("it says {}; before the restart it was set ahead, from {} to {}",
                             to_iso8601(now),
                             to_iso8601(newest_),
                             to_iso8601(*ahead_from_)));
  if (!reference_.has_value()) return std::nullopt;
  const auto step = std::chrono::round<std::chrono::seconds>(offset_at(now) - *reference_);
  if (std::chrono::abs(step) <= limits_.max_step + kResolution) return std::nullopt;
  const bool is_forward = step > std::chrono::seconds(0);
  return Error(is_forward ? ErrorCode::ClockUnconfirmed : ErrorCode::ClockInDoubt,
               fmt::format("it says {}; it was set {} by {} s since {}",
                           to_iso8601(now),
                           is_forward ? "ahead" : "back",
                           std::chrono::abs(step).count(),
                           to_iso8601(newest_)));
}

// Once, and again for a clock that is ahead by less than before: a restart doubts what is kept.
void ClockGuard::keep_doubt(UnixTime now) {
  is_doubted_ = true;
  const bool is_kept = doubt_kept_.has_value() &&
                       (!is_ahead(now) || (is_ahead(*doubt_kept_) && now >= *doubt_kept_));
  if (is_kept) return;
  doubt_kept_ = now;
  save_({.kind = ClockEventKind::Doubted, .clock_at = now, .trusted_at = newest_},
        [this, now](const Result<void>& result) {
          if (!result.has_value() && doubt_kept_ == now) doubt_kept_.reset();  // tried again
        });
}

void ClockGuard::trust(UnixTime now) {
  newest_ = std::max(newest_, now);
  ahead_from_.reset();
  const SteadyTime steady = clock_.steady();
  if (!reference_.has_value() || steady - reference_at_ > kStepWindow) {
    reference_ = offset_at(now);
    reference_at_ = steady;
  }
  if (std::exchange(is_doubted_, false)) {
    doubt_kept_.reset();
    save_({.kind = ClockEventKind::Resumed, .clock_at = now, .trusted_at = newest_},
          [](const Result<void>& /*result*/) {});
  }
  health_.clear(Cause::Clock);
}

std::optional<Error> ClockGuard::refusal(UnixTime now, bool is_back) const {
  auto error = doubt(now);
  if (now < built_on_ || now < ca_.not_before()) return error;
  const std::string says = "the clock says " + to_iso8601(now);
  if (!error.has_value() && !is_doubted_)
    return Error(ErrorCode::InputInvalid,
                 says + " and is not in doubt: there is nothing to confirm");
  if (is_back == is_behind(now)) return std::nullopt;
  return Error(ErrorCode::InputInvalid,
               fmt::format("{}, and the newest time known here is {}: {}",
                           says,
                           to_iso8601(newest_),
                           is_back ? "it is not behind, so --back does not apply"
                                   : "set the clock; or, if that time is wrong because the clock "
                                     "was ahead then, confirm with --back"));
}

void ClockGuard::confirm(bool is_back, std::function<void(Result<ClockEvent>)> reply) {
  const UnixTime now = clock_.now();
  if (auto error = refusal(now, is_back)) {
    reply(fail(std::move(*error)));
    return;
  }
  const ClockEvent event{.kind = ClockEventKind::Confirmed, .clock_at = now, .trusted_at = now};
  save_(
      event,
      [this, event, offset = offset_at(now), reply = std::move(reply)](const Result<void>& result) {
        if (!result.has_value()) {
          reply(fail(result.error()));
          return;
        }
        newest_ = event.clock_at;
        reference_ = offset;
        reference_at_ = clock_.steady();
        ahead_from_.reset();
        is_doubted_ = false;
        doubt_kept_.reset();
        static_cast<void>(this->now());  // Health hears of it
        reply(event);
      });
}

}  // namespace linesign
