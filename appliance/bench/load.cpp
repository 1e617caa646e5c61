#include "appliance/bench/load.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "appliance/bench/cancel.h"
#include "appliance/bench/latency.h"
#include "appliance/bench/load_station.h"
#include "appliance/bench/lone_station.h"

namespace linesign::bench {
namespace {

constexpr std::chrono::milliseconds kProgressEvery(100);
constexpr std::chrono::seconds kStallPatience(60);  // without a single certificate
constexpr std::chrono::seconds kDrainPatience(15);

class LoadRun final {
 public:
  LoadRun(const LoadSettings& settings, const LoadHooks& hooks, EventLoop& loop)
      : settings_(settings), hooks_(hooks), shared_(loop, settings.requests) {
    shared_.on_idle = [this] { look_whether_done(); };
    tick_ = loop.make_timer([this] { tick(); });
    is_warm_ = loop.make_timer([this] { start_measuring(); });
    time_is_up_ = loop.make_timer([this] { stop_measuring(); });
  }

  Result<void> connect();
  LoadResult run();

 private:
  void tick();
  void look_whether_done();
  void start_measuring();
  void stop_measuring();
  void drain();
  LoadResult result() const;
  GroupResult group(bool hammers) const;

  const LoadSettings& settings_;
  const LoadHooks& hooks_;
  LoadShared shared_;
  std::vector<std::unique_ptr<LoadStation>> stations_;
  std::unique_ptr<LoneStation> lone_;
  std::unique_ptr<Timer> tick_;
  std::unique_ptr<Timer> is_warm_;
  std::unique_ptr<Timer> time_is_up_;
  SteadyTime started_{};
  SteadyTime ended_{};
  SteadyTime last_progress_{};
  uint64_t last_certificates_ = 0;
  uint64_t warm_certificates_ = 0;  // before the measurement
  uint64_t counted_ = 0;            // in it
  LatencySummary latency_;
  std::optional<LoneResult> lone_result_;
  enum class Phase : uint8_t { WarmingUp, Measuring, Draining };
  Phase phase_ = Phase::WarmingUp;
  bool ran_out_ = false;
  bool is_stalled_ = false;
  bool is_interrupted_ = false;
};

Result<void> LoadRun::connect() {
  const LoneSettings lone{.interval = settings_.lone_interval, .requests = settings_.lone_requests};
  if (settings_.lone != nullptr) {
    LS_TRY(lone_, LoneStation::connect(*settings_.lone, lone));
  }
  for (const StationCredential& credential : settings_.stations) {
    LS_CHECK(check_cancelled(settings_.cancel_descriptor));
    LoadStationSettings station;
    station.window = settings_.window;
    if (settings_.lot > 0) station.quota = settings_.lot;
    station.hammers = stations_.size() < settings_.hammering;
    station.cancel_descriptor = settings_.cancel_descriptor;
    LS_TRY(auto connected, LoadStation::connect(credential, station, shared_));
    stations_.push_back(std::move(connected));
    if (hooks_.on_connected) hooks_.on_connected(stations_.size());
  }
  return {};
}

LoadResult LoadRun::run() {
  started_ = last_progress_ = now();
  if (settings_.lot > 0 || settings_.warm_up.count() == 0) {
    start_measuring();
  } else {
    is_warm_->start(settings_.warm_up);
  }
  // On the loop, so that a station without work can end it.
  shared_.loop.post([this] {
    for (const auto& station : stations_) station->start();
  });
  tick_->start(kProgressEvery);
  shared_.loop.run();
  return result();
}

void LoadRun::tick() {
  const SteadyTime time = now();
  if (shared_.certificates != last_certificates_) last_progress_ = time;
  last_certificates_ = shared_.certificates;
  if (phase_ == Phase::Measuring && hooks_.on_progress)
    hooks_.on_progress(shared_.certificates - warm_certificates_,
                       std::chrono::duration_cast<std::chrono::milliseconds>(time - started_));
  is_interrupted_ |= !check_cancelled(settings_.cancel_descriptor).has_value();
  const bool is_silent = !stations_.empty() && time - last_progress_ > kStallPatience;
  if (phase_ != Phase::Draining && (is_silent || is_interrupted_)) {
    is_stalled_ = is_silent;
    stop_measuring();
  }
  const bool is_over = phase_ == Phase::Draining;
  if (is_over && (time - ended_ > kDrainPatience || is_interrupted_)) return shared_.loop.stop();
  tick_->start(kProgressEvery);
}

void LoadRun::look_whether_done() {
  const bool is_done = std::all_of(
      stations_.begin(), stations_.end(), [](const auto& station) { return station->is_idle(); });
  if (!is_done) return;
  if (phase_ == Phase::Draining) return shared_.loop.stop();
  ran_out_ = settings_.lot == 0;
  stop_measuring();
}

void LoadRun::start_measuring() {
  if (phase_ != Phase::WarmingUp) return;
  phase_ = Phase::Measuring;
  if (hooks_.on_start) hooks_.on_start();
  warm_certificates_ = shared_.certificates;
  shared_.latency = LatencyRecorder();
  shared_.later.clear();
  if (lone_) lone_->start();
  started_ = now();
  if (settings_.lot == 0) time_is_up_->start(settings_.duration);
}

void LoadRun::stop_measuring() {
  start_measuring();  // if all was over before that
  phase_ = Phase::Draining;
  ended_ = now();
  if (hooks_.on_end) hooks_.on_end();
  counted_ = shared_.certificates - warm_certificates_;
  latency_ = shared_.latency.summarize();
  time_is_up_->stop();
  if (lone_) lone_result_ = lone_->stop();
  // From here on the answers that are still on their way come in, and nothing else.
  shared_.is_ending = true;
  shared_.loop.post([this] { drain(); });
}

void LoadRun::drain() {
  for (const auto& station : stations_) station->end();
  look_whether_done();
}

GroupResult LoadRun::group(bool hammers) const {
  GroupResult group;
  group.least = UINT64_MAX;
  SteadyTime last = started_;
  for (const auto& station : stations_) {
    if (station->hammers() != hammers) continue;
    ++group.stations;
    group.certificates += station->certificates();
    group.least = std::min(group.least, station->certificates());
    group.most = std::max(group.most, station->certificates());
    last = std::max(last, station->last_certificate());
  }
  if (group.stations == 0) group.least = 0;
  group.last_certificate = std::chrono::duration_cast<std::chrono::microseconds>(last - started_);
  return group;
}

LoadResult LoadRun::result() const {
  LoadResult result;
  result.wall = std::chrono::duration_cast<std::chrono::microseconds>(ended_ - started_);
  result.certificates = counted_;
  result.all_certificates = shared_.certificates + (lone_result_ ? lone_result_->latency.count : 0);
  result.latency = latency_;
  result.later = shared_.later;
  result.refused = shared_.refused;
  result.examples = shared_.examples;
  result.reconnects = shared_.reconnects;
  result.obeying = group(false);
  result.hammering = group(true);
  result.lone = lone_result_;
  result.ran_out = ran_out_;
  result.is_stalled = is_stalled_;
  result.interrupted = is_interrupted_;
  return result;
}

}  // namespace

Result<LoadResult> run_load(const LoadSettings& settings, const LoadHooks& hooks) {
  LS_TRY(const auto loop, EventLoop::create());
  LoadRun run(settings, hooks, *loop);
  LS_CHECK(run.connect());
  return run.run();
}

}  // namespace linesign::bench
