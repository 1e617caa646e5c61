#include "appliance/cloud/registration/direct_way.h"

namespace linesign {
namespace {

// Enough to keep the default quotas busy over a line of 200 ms; the rate limiter does the rest.
constexpr size_t kThreads = 8;

}  // namespace

Result<DirectWay::Worker> DirectWay::make_worker() const {
  LS_TRY(aws::IotClient client, session_.iot());
  auto registrar = std::make_shared<DirectRegistrar>(std::move(client), plan_);
  return Worker([registrar](const CloudItem& item) { return registrar->run(item); });
}

Result<std::vector<CloudItem>> DirectWay::claim() {
  LS_TRY(std::vector<CloudItem> items, outbox_.claim(target_, after_, kMaxCloudItems));
  if (!items.empty() || after_ == 0) return items;
  after_ = 0;
  return outbox_.claim(target_, 0, kMaxCloudItems);
}

WayStep DirectWay::step() {
  WayStep step;
  const auto items = claim();
  if (!items.has_value()) {
    step.hold = items.error();
    return step;
  }
  step.is_idle = items->empty();
  RoundResult round = run_round(
      outbox_, target_, *items, kThreads, [this] { return make_worker(); }, setbacks_);
  after_ = round.stuck_at.value_or(0);
  step.registered = round.registered;
  step.parked = round.parked;
  step.hold = std::move(round.hold);
  return step;
}

}  // namespace linesign
