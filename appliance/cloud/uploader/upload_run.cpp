#include "appliance/cloud/uploader/upload_run.h"

#include <atomic>
#include <mutex>
#include <thread>

namespace linesign {
namespace {

constexpr std::chrono::seconds kReportEvery(1);

// A target at work. What it needs is opened by its first step: a target whose credentials or files
// are not there is held up like any other obstacle, and the others go on.
class Worker final : public Way {
 public:
  Worker(const UploadParts& parts, const aws::SessionTools& tools, TargetSetup setup)
      : parts_(parts), tools_(tools), setup_(std::move(setup)), loop_(loop_parts()) {}

  WayStep step() override { return way_->step(); }

  std::optional<Error> run(RunMode mode) {
    if (mode != RunMode::Serve) setup_.bulk.min_lines = 1;  // what waits is all that comes
    return loop_.run(mode);
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
    if (connection_) connection_->cancel();
  }

  TargetReport report() const {
    TargetReport report{setup_.name, loop_.progress(), 0};
    for (const aws::RateStatus& rate : tools_.limiter.status({setup_.account, setup_.region}))
      report.throttled += rate.throttled;
    return report;
  }

 private:
  LoopParts loop_parts() {
    LoopParts loop;
    loop.way = this;
    loop.prepare = [this] { return open(); };
    loop.pause = &tools_.pause;
    loop.clock = parts_.clock;
    loop.on_hold = [this](const std::optional<Error>& hold) { parts_.log(setup_.name, hold); };
    if (parts_.on_note)
      loop.on_note = [this](const std::string& note) { parts_.on_note(setup_.name, note); };
    return loop;
  }

  // Before the first step, and after each obstacle that a person may have removed.
  Result<void> open() {
    LS_CHECK(check_target(*parts_.outbox, setup_));
    if (!way_) {
      LS_CHECK(setup_.read_files(setup_));
      LS_CHECK(find_issuers());
      if (setup_.way != WayKind::File) LS_CHECK(connect());
      way_ = make_way(setup_, *parts_.outbox, connection_.get(), *parts_.clock);
    }
    return connection_ ? connection_->check_credentials() : Result<void>();
  }

  // A thing may still have a certificate of a former CA.
  Result<void> find_issuers() {
    LS_TRY(const std::vector<LedgerCa> cas, parts_.outbox->cas());
    std::vector<Bytes> issuers;
    issuers.reserve(cas.size());
    for (const LedgerCa& each : cas) issuers.push_back(each.certificate_der);
    setup_.bulk.things.issuers = issuers;
    setup_.direct.issuers = std::move(issuers);
    return {};
  }

  Result<void> connect() {
    LS_TRY(aws::SessionOptions options, setup_.session_options());
    LS_TRY(std::unique_ptr<TargetConnection> made,
           TargetConnection::open(parts_.environment, std::move(options), tools_));
    const std::lock_guard lock(mutex_);
    connection_ = std::move(made);
    if (is_stopped_) connection_->cancel();
    return {};
  }

  const UploadParts& parts_;
  const aws::SessionTools& tools_;
  TargetSetup setup_;
  std::mutex mutex_;                              // of the pointer, and of what stop() says
  std::unique_ptr<TargetConnection> connection_;  // null for WayKind::File
  bool is_stopped_ = false;
  std::unique_ptr<Way> way_;
  TargetLoop loop_;
};

class Upload final {
 public:
  explicit Upload(const UploadParts& parts) : parts_(parts), limiter_(*parts.clock) {
    for (const TargetSetup& setup : *parts.setups)
      workers_.push_back(std::make_unique<Worker>(parts_, tools_, setup));
  }

  Result<void> run(RunMode mode) {
    running_ = workers_.size();
    std::vector<std::jthread> threads;
    threads.reserve(workers_.size());
    for (const auto& each : workers_)
      threads.emplace_back([this, worker = each.get(), mode] { finish(worker->run(mode)); });
    ProgressFile progress(parts_.state_dir);
    Woken woken = Woken::Timeout;
    while (woken == Woken::Timeout && running_ > 0) {
      report(progress);
      woken = parts_.stop->wait(kReportEvery);
    }
    if (woken == Woken::Stop) stop();
    threads.clear();
    report(progress);
    const std::lock_guard lock(mutex_);
    if (error_) return fail(*error_);
    if (woken == Woken::Stop && mode != RunMode::Serve) return fail(ErrorCode::Interrupted);
    return {};
  }

 private:
  void finish(std::optional<Error> error) {
    const std::lock_guard lock(mutex_);
    if (error && !error_) error_ = std::move(error);
    if (--running_ == 0) parts_.stop->finish();
  }

  void stop() {
    pause_.stop();
    for (const auto& each : workers_) each->stop();
  }

  // A full disk is no reason to stop registering.
  void report(ProgressFile& file) const {
    std::vector<TargetReport> reports;
    reports.reserve(workers_.size());
    for (const auto& each : workers_) reports.push_back(each->report());
    static_cast<void>(file.write(reports, *parts_.clock).has_value());
    if (parts_.on_report) parts_.on_report(reports);
  }

  const UploadParts& parts_;
  aws::StoppablePause pause_;
  aws::RateLimiter limiter_;
  const aws::SessionTools tools_{limiter_, *parts_.clock, pause_};
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<size_t> running_{0};
  std::mutex mutex_;
  std::optional<Error> error_;
};

}  // namespace

Result<void> run_upload(const UploadParts& parts, RunMode mode) { return Upload(parts).run(mode); }

}  // namespace linesign
