#include "appliance/cloud/uploader/upload_run.h"

#include <atomic>
#include <mutex>
#include <thread>

namespace linesign {
namespace {

constexpr std::chrono::seconds kReportEvery(1);

struct Worker {
  const TargetSetup* setup = nullptr;
  std::unique_ptr<Connection> connection;  // null for WayKind::File
  std::unique_ptr<Way> way;
  std::unique_ptr<TargetLoop> loop;
};

class Upload final {
 public:
  explicit Upload(const UploadParts& parts) : parts_(parts), limiter_(*parts.clock) {}

  Result<void> open() {
    for (const TargetSetup& setup : *parts_.setups) {
      Worker worker;
      worker.setup = &setup;
      if (setup.way != WayKind::File) {
        LS_TRY(aws::SessionOptions options, setup.session_options());
        LS_TRY(worker.connection,
               Connection::open(
                   parts_.environment, std::move(options), {limiter_, *parts_.clock, pause_}));
      }
      worker.way = make_way(setup, *parts_.outbox, worker.connection.get(), *parts_.clock);
      worker.loop = make_loop(worker);
      workers_.push_back(std::move(worker));
    }
    return {};
  }

  Result<void> run(RunMode mode) {
    running_ = workers_.size();
    std::vector<std::jthread> threads;
    threads.reserve(workers_.size());
    for (const Worker& each : workers_)
      threads.emplace_back([this, &each, mode] { finish(each.loop->run(mode)); });
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
  std::unique_ptr<TargetLoop> make_loop(const Worker& worker) {
    LoopParts loop;
    loop.way = worker.way.get();
    const Connection* connection = worker.connection.get();
    loop.check_identity = [connection, account = worker.setup->account]() -> Result<void> {
      if (connection == nullptr) return {};
      return connection->check_account(account);
    };
    loop.pause = &pause_;
    loop.clock = parts_.clock;
    loop.on_hold = [this, name = worker.setup->name](const std::optional<Error>& hold) {
      parts_.log(name, hold);
    };
    return std::make_unique<TargetLoop>(std::move(loop));
  }

  void finish(std::optional<Error> error) {
    const std::lock_guard lock(mutex_);
    if (error && !error_) error_ = std::move(error);
    if (--running_ == 0) parts_.stop->finish();
  }

  void stop() {
    pause_.stop();
    for (const Worker& each : workers_)
      if (each.connection) each.connection->cancel();
  }

  // A full disk is no reason to stop registering.
  void report(ProgressFile& file) const {
    std::vector<TargetReport> reports;
    for (const Worker& each : workers_) {
      TargetReport report{each.setup->name, each.loop->progress(), 0};
      if (each.connection)
        for (const aws::RateStatus& rate : limiter_.status(each.connection->session().where()))
          report.throttled += rate.throttled;
      reports.push_back(std::move(report));
    }
    static_cast<void>(file.write(reports, *parts_.clock).has_value());
    if (parts_.on_report) parts_.on_report(reports);
  }

  const UploadParts& parts_;
  aws::StoppablePause pause_;
  aws::RateLimiter limiter_;
  std::vector<Worker> workers_;
  std::atomic<size_t> running_{0};
  std::mutex mutex_;
  std::optional<Error> error_;
};

}  // namespace

Result<void> run_upload(const UploadParts& parts, RunMode mode) {
  Upload upload(parts);
  LS_CHECK(upload.open());
  return upload.run(mode);
}

}  // namespace linesign
