#include "appliance/daemon/daemon.h"

#include <unistd.h>

#include <array>
#include <csignal>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "appliance/admin/server/admin_server.h"
#include "appliance/daemon/cloud_desk.h"
#include "appliance/daemon/descriptor_limit.h"
#include "appliance/daemon/environment_watch.h"
#include "appliance/daemon/expiry_watch.h"
#include "appliance/daemon/operator_desk.h"
#include "appliance/daemon/station_desk.h"
#include "appliance/daemon/station_registry.h"
#include "appliance/enrollment/station_ca.h"
#include "appliance/issuance/clock_guard.h"
#include "appliance/issuance/health.h"
#include "appliance/issuance/issuance.h"
#include "appliance/ledger/group_commit.h"
#include "appliance/ledger/ledger_cloud.h"
#include "appliance/signers/signer_pool.h"
#include "hsm/x509/certificate_facts.h"
#include "protocol/base/version.h"
#include "protocol/log/log_limit.h"

namespace linesign {
namespace {

// A last signer that is replaced at once is no news: stations notice nothing.
constexpr std::chrono::milliseconds kSignerGrace(1000);
constexpr std::chrono::milliseconds kDrainPoll(20);
// For stations to read their Goodbye and close.
constexpr std::chrono::milliseconds kGoodbyeTime(1500);

// What the ledger knew when it was opened.
struct LedgerStart {
  std::unique_ptr<Ledger> ledger;
  std::vector<RecordedIntent> open_intents;
  std::vector<StationRecord> stations;
  LedgerTime time;
  std::vector<CloudTargetStatus> targets;
};

// Production does not depend on the cloud: a plan that cannot be is told and left out.
Result<void> set_cloud_plan(Ledger& ledger, const AwsConfig& config, UnixTime now) {
  LS_CHECK(ledger.begin());
  CloudPlan plan = plan_of(config);
  if (const auto known = ledger.cloud().status(); known.has_value())
    for (const CloudTarget& moved : take_moved(plan, *known))
      spdlog::error("AWS target not taken over error={}",
                    Error(ErrorCode::CloudTargetMoved, moved.name).to_string());
  Result<void> set = ledger.cloud().set_plan(plan, now);
  if (!set && set.error().kind() != ErrorKind::Refuse) return set;
  if (!set) spdlog::error("AWS targets not taken over error={}", set.error().to_string());
  return ledger.commit();
}

Result<LedgerStart> open_ledger(const Config& config,
                                const CertificateBuilder& builder,
                                UnixTime now) {
  const Profile& profile = config.signer.profile;
  LedgerStart start;
  LS_TRY(start.ledger, Ledger::open(config.ledger));
  LS_CHECK(start.ledger->begin());
  LS_CHECK(start.ledger->remember_profile(builder.profile_hash(),
                                          canonical_text(profile),
                                          builder.ca().der(),
                                          signature_algorithm_der(builder.ca().key_type()),
                                          now));
  LS_CHECK(start.ledger->commit());
  LS_CHECK(set_cloud_plan(*start.ledger, config.aws, now));
  LS_TRY(start.open_intents, start.ledger->open_intents());
  LS_TRY(start.stations, start.ledger->stations());
  LS_TRY(start.time, start.ledger->time());
  if (auto targets = start.ledger->cloud().status(); targets.has_value())
    start.targets = std::move(*targets);
  return start;
}

SignerPoolSettings pool_settings(const Config& config,
                                 SignerStart& start,
                                 const Sha256& profile_hash) {
  const auto cores = static_cast<int>(std::max(std::thread::hardware_concurrency(), 1U));
  return {.executable = start.program,
          .config = config.file,
          .signers = config.signer.signers > 0 ? config.signer.signers : cores,
          .threads_per_signer = config.signer.threads_per_signer,
          .sign_timeout = config.signer.sign_timeout,
          .start_timeout = config.signer.start_timeout,
          .login_lock = config.signer.login_lock,
          .wrong_signatures = config.stations.credential_dir / "wrong-signatures",
          .profile_hash = profile_hash,
          .launcher = start.launcher ? &*start.launcher : nullptr};
}

// Where stations find us: as configured, or the listen address, or this host's name.
std::string advertised_address(const StationsSettings& settings, uint16_t port) {
  if (!settings.advertise.empty()) return settings.advertise;
  const std::string& listen = settings.listener.address;
  std::string host = listen.substr(0, listen.rfind(':'));
  if (host == "0.0.0.0" || host == "[::]" || host.empty()) {
    std::array<char, 256> name{};
    ::gethostname(name.data(), name.size() - 1);
    host = name.data();
  }
  return host + ":" + std::to_string(port);
}

Result<void> divide_descriptors(Config& config) {
  LS_TRY(const DescriptorPlan plan, plan_descriptors(raise_descriptor_limit(), config));
  if (plan.warning) spdlog::warn("fewer sessions than configured error={}", *plan.warning);
  config.stations.listener.max_sessions = plan.max_sessions;
  config.stations.listener.max_pending = plan.max_pending;
  config.stations.listener.max_closing = plan.max_closing;
  return {};
}

}  // namespace

class Daemon::Implementation final {
 public:
  Implementation(std::unique_ptr<const Clock> clock,
                 Config config,
                 std::unique_ptr<EventLoop> loop,
                 CertificateBuilder builder,
                 std::shared_ptr<const StationCa> station_ca,
                 LedgerStart ledger,
                 SignerStart signer_start)
      : clock_holder_(std::move(clock)),
        clock_(*clock_holder_),
        config_(std::move(config)),
        loop_(std::move(loop)),
        ca_(builder.ca()),
        station_ca_(std::move(station_ca)),
        health_(clock_, &Implementation::log_health),
        clock_guard_(clock_,
                     health_,
                     ca_,
                     {.max_step = config_.issuance.max_clock_step_back,
                      .max_ahead = config_.issuance.max_clock_ahead},
                     {.built_on = kBuiltOn, .ledger = ledger.time},
                     [this](const ClockEvent& event, auto done) {
                       ledger_->write<void>(
                           [event](Ledger& open) { return open.record_clock_event(event); },
                           std::move(done));
                     }),
        registry_(ledger.stations),
        ledger_(GroupCommit::start(
            *loop_,
            config_.ledger,
            std::move(ledger.ledger),
            {.on_lost = [this](const Error& error) { on_lost(error); },
             .on_recovered =
                 [this](std::vector<RecordedIntent> intents) { on_recovered(std::move(intents)); },
             .on_record = [this](const std::optional<Error>& error) { on_ledger_record(error); }})),
        signer_start_(std::move(signer_start)),
        signers_(*loop_,
                 clock_,
                 pool_settings(config_, signer_start_, builder.profile_hash()),
                 {.on_checked =
                      [this](const CheckRequest& request, const Result<CheckedBy>& checked) {
                        issuance_.on_checked(request, checked);
                      },
                  .on_signed =
                      [this](const RecordedIntent& intent, Result<ByteView> signature) {
                        issuance_.on_signed(intent, std::move(signature));
                      },
                  .on_change = [this] { on_signers_changed(); },
                  .on_trouble = [this](const Error& error) { on_signer_trouble(error); },
                  .on_pace = [this](const PaceNews& news) { log_pace(news); },
                  .on_pin_warning =
                      [](const std::string& warning) {
                        spdlog::warn("the token said before the login: {}", warning);
                      }}),
        device_ids_(config_.aws.targets),
        throttled_lines_(clock_),
        issuance_(
            *loop_,
            clock_guard_,
            health_,
            *ledger_,
            std::move(builder),
            {.max_in_flight = config_.issuance.max_in_flight,
             .check_device_id =
                 [this](std::string_view order, std::string_view device_id) {
                   return device_ids_.check(order, device_id);
                 },
             .check_key =
                 [this](const Sha256& key_hash) { return registry_.check_device_key(key_hash); },
             .on_throttled =
                 [this](const StationIdentity& station,
                        const Error& error,
                        std::chrono::milliseconds wait) { log_throttled(station, error, wait); }},
            {.check = [this](std::shared_ptr<const CheckRequest> request,
                             Priority priority) { signers_.check(std::move(request), priority); },
             .sign =
                 [this](std::shared_ptr<const RecordedIntent> intent,
                        const CheckedBy& checked_by,
                        int64_t station_id,
                        Priority priority) {
                   signers_.sign(std::move(intent), checked_by, station_id, priority);
                 },
             .drop_unwanted = [this] { signers_.drop_unwanted(); }}),
        environment_(*loop_, clock_guard_, health_, config_.issuance, config_.ledger.directory),
        expiry_(*loop_,
                {.clock = clock_,
                 .ca = ca_,
                 .profile = config_.signer.profile,
                 .station_ca = *station_ca_,
                 .registry = registry_}),
        desk_(clock_,
              *ledger_,
              issuance_,
              registry_,
              station_ca_,
              ca_,
              config_.stations.certificate_validity),
        signer_grace_(loop_->make_timer([this] { judge_signers(); })),
        drain_timer_(loop_->make_timer([this] { drain_step(); })) {
    set_rules(device_ids_, ledger.targets);
    reserve_keys();
    environment_.start();
    if (signer_start_.launcher)
      launcher_watch_ = loop_->watch(signer_start_.launcher->fd(),
                                     {.read = true, .write = false},
                                     [this](Readiness /*ready*/) { on_launcher_report(); });
    expiry_.start();
    health_.set(Cause::Signers, Error(ErrorCode::Unavailable, "the signers are starting"));
    signer_grace_->start(kSignerGrace);
    issuance_.recover(std::move(ledger.open_intents));
    signers_.start();
  }

  // What can fail, after everything it calls back into exists.
  Result<void> open_doors() {
    config_.stations.listener.software = kSoftware;
    LS_TRY(listener_,
           Listener::open(*loop_,
                          desk_,
                          config_.stations.listener,
                          {.certificate_pem = station_ca_->server_certificate_pem(),
                           .private_key_pem = station_ca_->server_key_pem(),
                           .station_ca_pem = station_ca_->ca_pem()}));
    operator_desk_ = std::make_unique<OperatorDesk>(
        OperatorDesk::Parts{.loop = *loop_,
                            .clock = clock_,
                            .health = health_,
                            .clock_guard = clock_guard_,
                            .ledger = *ledger_,
                            .issuance = issuance_,
                            .signers = signers_,
                            .registry = registry_,
                            .listener = *listener_,
                            .station_ca = *station_ca_,
                            .ca = ca_,
                            .expiry = expiry_,
                            .device_ids = device_ids_},
        OperatorDesk::Settings{.advertise = advertised_address(config_.stations, listener_->port()),
                               .token_lifetime = config_.stations.token_lifetime});
    LS_TRY(admin_, AdminServer::start(*loop_, *operator_desk_, {.socket = config_.admin.socket}));
    return {};
  }

  Result<void> run() {
    const auto terminate = loop_->watch_signal(SIGTERM, [this] { begin_drain(); });
    const auto interrupt = loop_->watch_signal(SIGINT, [this] { begin_drain(); });
    spdlog::info("linesignd started version={} port={} ca=\"{}\" ledger={}",
                 kVersion,
                 listener_->port(),
                 ca_.subject_text(),
                 config_.ledger.directory.string());
    loop_->run();
    admin_.reset();
    listener_.reset();
    ledger_->close();
    spdlog::info("linesignd stopped issued={} refused={}",
                 issuance_.counters().issued,
                 issuance_.counters().refused);
    if (failure_) return fail(*failure_);
    return {};
  }

 private:
  static void log_health(Cause cause, const std::optional<Error>& error) {
    if (error && error->code() == ErrorCode::Unavailable) {
      spdlog::info("starting cause={}: {}", to_string(cause), error->detail());
    } else if (error && cause == Cause::Draining) {
      spdlog::info("not producing cause={} error={}", to_string(cause), error->to_string());
    } else if (error) {
      spdlog::error("not producing cause={} error={}", to_string(cause), error->to_string());
    } else {
      spdlog::info("obstacle gone cause={}", to_string(cause));
    }
  }

  void reserve_keys() {
    registry_.reserve_key(ca_.der(), "the device CA");
    for (const Bytes& above : ca_.chain_der()) registry_.reserve_key(above, "a CA of its chain");
    registry_.reserve_key(station_ca_->certificate_der(), "the station CA");
    for (const Bytes& each : parse_certificates(station_ca_->server_certificate_pem()))
      registry_.reserve_key(each, "the appliance");
  }

  void on_lost(const Error& error) {
    health_.set(Cause::Ledger, error);
    signers_.forget_queue();
    issuance_.abandon(error);
  }

  void on_recovered(std::vector<RecordedIntent> intents) {
    health_.clear(Cause::Ledger);
    issuance_.recover(std::move(intents));
  }

  // Without it an older copy of the ledger would not be noticed.
  void on_ledger_record(const std::optional<Error>& error) {
    if (error.has_value()) {
      health_.set(Cause::LedgerRecord, *error);
    } else {
      health_.clear(Cause::LedgerRecord);
    }
  }

  void on_launcher_report() {
    signers_.take_reports();
    if (!signer_start_.launcher->is_gone()) return;
    // Its signers ended with it. Nothing waits for a drain: the next start finishes what is open.
    failure_ = Error(ErrorCode::HsmUnavailable,
                     "the launcher of the signers ended; only a new start may switch users");
    loop_->stop();
  }

  void on_signers_changed() {
    if (signers_.is_ready()) {
      signer_grace_->stop();
      health_.clear(Cause::Signers);
    } else {
      signer_grace_->start(kSignerGrace);
    }
  }

  void on_signer_trouble(const Error& error) {
    spdlog::warn("signer trouble error={}", error.to_string());
    // What only a person can mend is said at once.
    if (error.kind() == ErrorKind::Operator && !signers_.is_ready()) judge_signers();
  }

  void log_pace(const PaceNews& news) const {
    using Milliseconds = std::chrono::duration<double, std::milli>;
    const double typical = Milliseconds(news.typical).count();
    const double slowest = Milliseconds(news.slowest).count();
    if (news.is_slow) {
      spdlog::warn(
          "the HSM is slow ms_per_signature={:.2f} slowest_ms={:.2f}: more than half of "
          "sign_timeout ({} ms) in [hsm]",
          typical,
          slowest,
          config_.signer.sign_timeout.count());
    } else {
      spdlog::info("HSM speed ms_per_signature={:.2f} slowest_ms={:.2f}", typical, slowest);
    }
  }

  // A wait that grows makes few lines; many stations do not make many.
  void log_throttled(const StationIdentity& station,
                     const Error& error,
                     std::chrono::milliseconds wait) {
    const auto left_out = throttled_lines_.admit("throttled", "");
    if (!left_out) return;
    spdlog::warn("station throttled station={} wait_ms={} refused={} last={}{}",
                 station.name,
                 wait.count(),
                 issuance_.conduct().refused_of(station.id),
                 error.to_string(),
                 *left_out == 0 ? "" : fmt::format(" left_out={}", *left_out));
  }

  void judge_signers() {
    if (const auto obstacle = signers_.obstacle()) {
      health_.set(Cause::Signers, *obstacle);
      // The reason may become clearer while they try.
      signer_grace_->start(kSignerGrace);
    } else {
      health_.clear(Cause::Signers);
    }
  }

  // The second signal hurries: first those who wait for answers, then those who do not close.
  void begin_drain() {
    if (draining_) {
      (is_saying_goodbye_ ? goodbye_until_ : drain_until_) = clock_.steady();
      return drain_step();
    }
    draining_ = true;
    drain_until_ = clock_.steady() + config_.daemon.drain_timeout;
    spdlog::info("draining in_flight={}", issuance_.in_flight());
    health_.set(Cause::Draining, Error(ErrorCode::Draining));
    listener_->begin_drain();
    drain_step();
  }

  void drain_step() {
    if (!is_saying_goodbye_) {
      const bool is_done = issuance_.is_idle() && listener_->is_drained();
      if (!is_done && clock_.steady() < drain_until_) return drain_timer_->start(kDrainPoll);
      if (!is_done)
        spdlog::warn("drain cut short in_flight={}; the next start finishes them",
                     issuance_.in_flight());
      issuance_.write_deliveries();
      is_saying_goodbye_ = true;
      goodbye_until_ = clock_.steady() + kGoodbyeTime;
      listener_->close_all();
    }
    if (!listener_->is_empty() && clock_.steady() < goodbye_until_)
      return drain_timer_->start(kDrainPoll);
    loop_->stop();
  }

  // Declared in the order in which they are built; each may use what stands above it.
  std::unique_ptr<const Clock> clock_holder_;
  const Clock& clock_;
  Config config_;
  std::unique_ptr<EventLoop> loop_;
  CaCertificate ca_;
  std::shared_ptr<const StationCa> station_ca_;
  Health health_;
  ClockGuard clock_guard_;
  StationRegistry registry_;
  std::unique_ptr<GroupCommit> ledger_;
  SignerStart signer_start_;
  SignerPool signers_;
  DeviceIdRules device_ids_;
  LogLimit throttled_lines_;
  Issuance issuance_;
  EnvironmentWatch environment_;
  ExpiryWatch expiry_;
  StationDesk desk_;
  std::unique_ptr<Timer> signer_grace_;
  std::unique_ptr<Timer> drain_timer_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<OperatorDesk> operator_desk_;
  std::unique_ptr<AdminServer> admin_;
  std::unique_ptr<Watch> launcher_watch_;
  std::optional<Error> failure_;
  bool draining_ = false;
  SteadyTime drain_until_;
  bool is_saying_goodbye_ = false;
  SteadyTime goodbye_until_;
};

Result<std::unique_ptr<Daemon>> Daemon::open(Config config, SignerStart signers) {
  static_cast<void>(::signal(SIGPIPE, SIG_IGN));
  auto clock = std::make_unique<const SystemClock>();
  LS_CHECK(divide_descriptors(config));
  LS_TRY(const CaCertificate ca, CaCertificate::load(config.signer.ca_certificate));
  LS_TRY(CertificateBuilder builder, CertificateBuilder::create(config.signer.profile, ca));
  // Before the station CA, which marks an appliance as being in use.
  LS_TRY(LedgerStart ledger, open_ledger(config, builder, clock->now()));
  LS_TRY(auto station_ca, StationCa::open(config.stations.credential_dir, *clock));
  LS_TRY(auto loop, EventLoop::create());
  auto implementation = std::make_unique<Implementation>(std::move(clock),
                                                         std::move(config),
                                                         std::move(loop),
                                                         std::move(builder),
                                                         std::move(station_ca),
                                                         std::move(ledger),
                                                         std::move(signers));
  LS_CHECK(implementation->open_doors());
  return std::unique_ptr<Daemon>(new Daemon(std::move(implementation)));
}

Daemon::Daemon(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}

Daemon::~Daemon() = default;

Result<void> Daemon::run() { return implementation_->run(); }

}  // namespace linesign
