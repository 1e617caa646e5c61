#include "appliance/cloud/aws/curl_transport.h"

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>
#include <unordered_set>
#include <vector>

#include <pthread.h>

#include "appliance/cloud/aws/curl_transfer.h"
#include "protocol/base/file.h"

namespace linesign::aws {
namespace {

constexpr long kMaxIdleConnections = 64;
constexpr int kPollMilliseconds = 1000;

struct MultiCleanup {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};

bool is_library_ready() {
  static const CURLcode kCode = curl_global_init(CURL_GLOBAL_DEFAULT);
  return kCode == CURLE_OK;
}

}  // namespace

class CurlTransport::Worker final {
 public:
  explicit Worker(CURLM* multi) : multi_(multi), thread_([this] { run(); }) {}
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() {
    stop(true);
    thread_.join();
  }

  CURLcode perform(CURL* handle) {
    Job job{.handle = handle};
    std::unique_lock lock(mutex_);
    if (cancelled_) return kCancelled;
    waiting_.push_back(&job);
    curl_multi_wakeup(multi_.get());
    job.done.wait(lock, [&job] { return job.is_done; });
    return job.code;
  }

  void stop(bool leave) {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    leaving_ = leaving_ || leave;
    curl_multi_wakeup(multi_.get());
  }

  static constexpr CURLcode kCancelled = CURLE_ABORTED_BY_CALLBACK;

 private:
  struct Job {
    CURL* handle = nullptr;
    CURLcode code = CURLE_OK;
    bool is_done = false;
    std::condition_variable done{};
  };

  void run() {
    sigset_t all;
    sigfillset(&all);  // OpenSSL's writes can raise SIGPIPE; the rest belongs to other threads
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    while (take_jobs()) {
      int running = 0;
      curl_multi_perform(multi_.get(), &running);
      finish_jobs();
      curl_multi_poll(multi_.get(), nullptr, 0, kPollMilliseconds, nullptr);
    }
  }

  // False: nothing more to do, ever.
  bool take_jobs() {
    const std::lock_guard lock(mutex_);
    for (Job* job : waiting_) {
      if (curl_multi_add_handle(multi_.get(), job->handle) == CURLM_OK) {
        running_.insert(job);
      } else {
        finish(*job, CURLE_FAILED_INIT);
      }
    }
    waiting_.clear();
    if (!cancelled_) return true;
    for (Job* job : running_) {
      curl_multi_remove_handle(multi_.get(), job->handle);
      finish(*job, kCancelled);
    }
    running_.clear();
    return !leaving_;
  }

  void finish_jobs() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* const handle = message->easy_handle;
      const CURLcode code = message->data.result;
      curl_multi_remove_handle(multi_.get(), handle);  // `message` is gone with it
      const std::lock_guard lock(mutex_);
      const auto found = std::find_if(running_.begin(), running_.end(), [handle](const Job* job) {
        return job->handle == handle;
      });
      if (found == running_.end()) continue;
      Job* const job = *found;
      running_.erase(found);
      finish(*job, code);
    }
  }

  // REQUIRES: mutex_ is held. The job belongs to a waiting thread again afterwards.
  void finish(Job& job, CURLcode code) {
    job.code = code;
    job.is_done = true;
    job.done.notify_one();
  }

  const std::unique_ptr<CURLM, MultiCleanup> multi_;
  std::mutex mutex_;
  std::vector<Job*> waiting_;
  std::unordered_set<Job*> running_;
  bool cancelled_ = false;
  bool leaving_ = false;
  std::thread thread_;
};

Result<std::unique_ptr<CurlTransport>> CurlTransport::create(TransportSettings settings) {
  if (settings.ca_bundle) {
    constexpr size_t kMaxBundleBytes = 16 * 1024 * 1024;
    const auto bundle = read_file(*settings.ca_bundle, kMaxBundleBytes);
    if (!bundle.has_value())
      return fail(ErrorCode::AwsSettings, "the CA bundle: " + bundle.error().detail());
  }
  CURLM* const multi = is_library_ready() ? curl_multi_init() : nullptr;
  if (multi == nullptr) return fail(ErrorCode::Internal, "libcurl cannot be started");
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, kMaxIdleConnections);
  auto worker = std::make_unique<Worker>(multi);
  return std::unique_ptr<CurlTransport>(new CurlTransport(std::move(settings), std::move(worker)));
}

CurlTransport::CurlTransport(TransportSettings settings, std::unique_ptr<Worker> worker)
    : settings_(std::move(settings)), worker_(std::move(worker)) {}

CurlTransport::~CurlTransport() = default;

Result<HttpResponse> CurlTransport::send(const HttpRequest& request) {
  LS_TRY(const std::unique_ptr<CurlTransfer> transfer, CurlTransfer::create(request, settings_));
  const CURLcode code = worker_->perform(transfer->handle());
  return transfer->finish(code);
}

void CurlTransport::cancel() { worker_->stop(false); }

}  // namespace linesign::aws
