#include "appliance/bench/bench.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "appliance/bench/cancel.h"
#include "appliance/bench/device_lot.h"
#include "appliance/bench/load.h"
#include "appliance/bench/station_fleet.h"
#include "appliance/bench/target.h"
#include "protocol/base/version.h"

namespace linesign::bench {
namespace {

constexpr size_t kCeilingCsrs = 512;
constexpr size_t kMaxLoneRequests = 20'000;
constexpr std::chrono::minutes kLongestLot(10);  // that a lone station is prepared for
// No core does more in a second, by the type of the CA key; by this a lot for a time is made.
constexpr std::array<uint64_t, kKeyTypeNames.size()> kMostPerCore = {9000, 2500, 2500, 1200, 700};

double own_cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  constexpr double kMicro = 1e-6;
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * kMicro;
}

uint64_t restarts_in(const ApplianceStatus& status) {
  uint64_t sum = 0;
  for (const SignerStatus& signer : status.signers) sum += signer.restarts;
  return sum;
}

// What is read when the measurement begins and when it ends. Quickly: the load waits meanwhile.
struct Reading {
  ApplianceUsage usage;
  MachineTimes machine;
  double own_cpu = 0;
};

Result<Reading> read_usage(int daemon_pid) {
  Reading reading;
  LS_TRY(reading.usage, read_appliance_usage(daemon_pid));
  reading.machine = read_machine_times();
  reading.own_cpu = own_cpu_seconds();
  return reading;
}

class BenchRun final {
 public:
  BenchRun(const BenchSettings& settings, BenchObserver& observer)
      : settings_(settings), observer_(observer) {}

  Result<BenchReport> run();

 private:
  Result<void> prepare();
  Result<void> make_requests();
  Result<std::optional<CeilingFigures>> measure_ceiling(std::string_view when);
  Result<void> enroll();
  Result<void> put_under_load();
  Result<void> clean_up();
  LoadSettings load_settings() const;
  void show_progress(uint64_t certificates, std::chrono::milliseconds elapsed);
  void compare(const Reading& before, const Reading& after);
  void compare(const ApplianceStatus& before, const ApplianceStatus& after);
  size_t lone_requests() const;
  size_t station_requests() const;
  int cores() const { return report_.machine.cores; }
  std::function<void(size_t)> progress_to(size_t total) {
    return [this, total](size_t done) { observer_.on_progress(done, total, ""); };
  }

  const BenchSettings& settings_;
  BenchObserver& observer_;
  BenchReport report_;
  std::unique_ptr<Target> target_;
  std::vector<IssueRequest> requests_;
  std::vector<StationCredential> fleet_;
  size_t stations_to_revoke_ = 0;  // of a real appliance
};

Result<BenchReport> BenchRun::run() {
  auto measured = [this]() -> Result<void> {
    LS_CHECK(prepare());
    LS_CHECK(make_requests());
    LS_TRY(report_.ceiling_before, measure_ceiling("before the load"));
    LS_CHECK(target_->start());
    LS_CHECK(enroll());
    return put_under_load();
  }();
  const auto cleaned = clean_up();
  LS_CHECK(measured);
  LS_CHECK(cleaned);
  if (!report_.load.interrupted) {
    LS_TRY(report_.ceiling_after, measure_ceiling("after the load"));
  }
  return std::move(report_);
}

Result<void> BenchRun::prepare() {
  report_.version = kVersion;
  report_.machine = describe_machine();
  observer_.on_phase(settings_.running ? "Looking at the appliance"
                                       : "Making a token, a CA and a configuration");
  LS_TRY(target_, open_target(settings_));
  BenchSetup& setup = report_.setup;
  setup.appliance = target_->name();
  setup.ca_key = target_->ca_key();
  setup.device_key = settings_.device_key;
  setup.stations = settings_.stations;
  setup.window = settings_.window;
  setup.lot = settings_.lot;
  setup.threads_per_signer = target_->threads_per_signer();
  if (!target_->is_real()) {
    LS_TRY(report_.fsync, measure_fsync(target_->work_folder()));
  }
  return {};
}

size_t BenchRun::lone_requests() const {
  if (!settings_.lone) return 0;
  const auto longest = settings_.lot > 0 ? kLongestLot : settings_.duration;
  const auto count = longest / std::max(settings_.lone_interval, std::chrono::milliseconds(1)) + 2;
  return std::min(static_cast<size_t>(count), kMaxLoneRequests);
}

size_t BenchRun::station_requests() const {
  if (settings_.lot > 0 || settings_.stations == 0) return settings_.stations * settings_.lot;
  const auto most = kMostPerCore[static_cast<size_t>(target_->ca_key())] *
                    static_cast<uint64_t>(cores()) *
                    static_cast<uint64_t>((settings_.warm_up + settings_.duration).count()) / 1000;
  return most + uint64_t{settings_.stations} * settings_.window;
}

// The lone station's come last.
Result<void> BenchRun::make_requests() {
  LotSpec spec;
  spec.device_key = settings_.device_key;
  spec.count = std::max(station_requests() + lone_requests(), kCeilingCsrs);
  spec.order = target_->order();
  spec.threads = static_cast<unsigned>(cores());
  spec.cancel_descriptor = settings_.cancel_descriptor;
  observer_.on_phase(fmt::format(
      "Making the keys and CSRs of {} devices ({})", spec.count, to_string(spec.device_key)));
  if (settings_.csr_cache.empty()) {
    LS_TRY(requests_, make_lot(spec, progress_to(spec.count)));
  } else {
    LS_TRY(requests_, load_lot(settings_.csr_cache, spec, progress_to(spec.count)));
  }
  return write_lot(target_->work_folder() / "ceiling-csrs.pem", requests_, kCeilingCsrs);
}

Result<std::optional<CeilingFigures>> BenchRun::measure_ceiling(std::string_view when) {
  if (settings_.ceiling_duration.count() == 0) return std::optional<CeilingFigures>();
  LS_CHECK(check_cancelled(settings_.cancel_descriptor));
  observer_.on_phase(fmt::format("Measuring the ceiling {}", when));
  SizingSettings sizing;
  sizing.target = target_->sizing_target();
  sizing.worker = settings_.sizing_worker;
  sizing.corpus = target_->work_folder() / "ceiling-csrs.pem";
  sizing.processes = std::max(cores(), settings_.plant.signers);
  sizing.threads = target_->threads_per_signer();
  sizing.duration = settings_.ceiling_duration;
  LS_TRY(const SizingResult result, measure(sizing));
  report_.setup.token = result.token;
  return std::optional<CeilingFigures>(
      {.processes = result.processes,
       .threads = result.threads,
       .certificates_per_second = result.certificates_per_second,
       .certificates_per_cpu_second = result.certificates_per_cpu_second});
}

Result<void> BenchRun::enroll() {
  FleetSettings fleet;
  fleet.stations = settings_.stations + (settings_.lone ? 1 : 0);
  fleet.folder = target_->work_folder() / "stations";
  fleet.cancel_descriptor = settings_.cancel_descriptor;
  observer_.on_phase(fmt::format("Enrolling {} stations", fleet.stations));
  if (target_->is_real()) stations_to_revoke_ = fleet.stations;
  LS_TRY(fleet_, enroll_fleet(target_->admin(), fleet, progress_to(fleet.stations)));
  return {};
}

LoadSettings BenchRun::load_settings() const {
  const std::span<const IssueRequest> requests(requests_);
  LoadSettings load;
  load.stations = std::span(fleet_).first(settings_.stations);
  load.lone = settings_.lone ? &fleet_.back() : nullptr;
  load.requests = requests.first(station_requests());
  load.lone_requests = requests.last(lone_requests());
  load.window = settings_.window;
  load.lot = settings_.lot;
  load.warm_up = settings_.warm_up;
  load.duration = settings_.duration;
  load.hammering = settings_.hammering;
  load.lone_interval = settings_.lone_interval;
  load.cancel_descriptor = settings_.cancel_descriptor;
  return load;
}

void BenchRun::show_progress(uint64_t certificates, std::chrono::milliseconds elapsed) {
  const double seconds = std::chrono::duration<double>(elapsed).count();
  const double rate = seconds > 0 ? static_cast<double>(certificates) / seconds : 0;
  const std::string note = fmt::format("{:.0f} certificates/s", rate);
  const uint64_t total = settings_.stations * settings_.lot;
  if (total > 0) return observer_.on_progress(certificates, total, note);
  observer_.on_progress(static_cast<uint64_t>(elapsed.count()),
                        static_cast<uint64_t>(settings_.duration.count()),
                        note);
}

Result<void> BenchRun::put_under_load() {
  LS_TRY(const int pid, target_->daemon_pid());
  Result<Reading> before = fail(ErrorCode::Internal, "the load did not begin");
  Result<Reading> after = fail(ErrorCode::Internal, "the load did not end");
  LoadHooks hooks;
  hooks.on_start = [&] { before = read_usage(pid); };
  hooks.on_end = [&] { after = read_usage(pid); };
  hooks.on_progress = [this](uint64_t certificates, std::chrono::milliseconds elapsed) {
    show_progress(certificates, elapsed);
  };
  observer_.on_phase("Connecting the stations, then the load");
  LS_TRY(const ApplianceStatus begin, target_->admin().status());
  LS_TRY(report_.load, run_load(load_settings(), hooks));
  LS_CHECK(before);
  LS_CHECK(after);
  compare(*before, *after);
  LS_TRY(const ApplianceStatus end, target_->admin().status());
  compare(begin, end);
  return {};
}

void BenchRun::compare(const Reading& before, const Reading& after) {
  report_.usage = usage_between(before.usage, after.usage);
  report_.machine_load = load_between(before.machine, after.machine);
  report_.load_generator_cpu_seconds = after.own_cpu - before.own_cpu;
}

void BenchRun::compare(const ApplianceStatus& before, const ApplianceStatus& after) {
  report_.transactions = after.commits.transactions - before.commits.transactions;
  report_.signer_restarts = restarts_in(after) - restarts_in(before);
  report_.ledger_certificates = after.ledger.certificates - before.ledger.certificates;
  report_.setup.signers = static_cast<uint32_t>(after.signers.size());
}

Result<void> BenchRun::clean_up() {
  if (!target_) return {};
  if (stations_to_revoke_ > 0) {
    observer_.on_phase("Revoking the stations");
    LS_CHECK(revoke_fleet(target_->admin(), stations_to_revoke_));
  }
  return target_->stop();
}

}  // namespace

Result<BenchReport> run_bench(const BenchSettings& settings, BenchObserver& observer) {
  return BenchRun(settings, observer).run();
}

}  // namespace linesign::bench
