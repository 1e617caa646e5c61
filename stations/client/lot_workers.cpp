#include "stations/client/lot_workers.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "protocol/base/file.h"
#include "stations/client/certificate_checker.h"
#include "stations/client/der.h"

namespace linesign::client {

// One thread's way of checking and writing.
class LotWorkers::Writer final {
 public:
  explicit Writer(const LotFolder& out) : out_(out) {}

  LotOutcome write(const ArrivedCertificate& arrived) {
    const IssueRequest& request = arrived.item.request;
    LotOutcome outcome{LotEnd::Issued, request.device_id, arrived.item.origin, {}};
    const auto checked = check(arrived);
    if (!checked.has_value()) {
      outcome.end = LotEnd::Refused;
      outcome.error = arrived.refusal_if_other.value_or(checked.error());
      return outcome;
    }
    const std::string pem =
        to_pem("CERTIFICATE", arrived.certificate_der) + arrived.issuers->chain_pem;
    auto stored = out_.write(request.device_id, ".pem", as_bytes(pem), 0644);
    if (stored.has_value()) return outcome;
    outcome.end = LotEnd::NotStored;
    outcome.error = std::move(stored).error();
    return outcome;
  }

 private:
  Result<void> check(const ArrivedCertificate& arrived) {
    if (!checker_ || issuers_ != arrived.issuers) {
      LS_TRY(CertificateChecker opened, CertificateChecker::open(arrived.issuers->chain));
      checker_.emplace(std::move(opened));
      issuers_ = arrived.issuers;
    }
    const auto outline = outline_csr(arrived.item.request.csr_der);
    if (!outline) return fail(ErrorCode::CsrMalformed);
    return checker_->check(arrived.certificate_der, outline->spki);
  }

  const LotFolder& out_;
  std::shared_ptr<const Issuers> issuers_;
  std::optional<CertificateChecker> checker_;
};

Result<std::unique_ptr<LotWorkers>> LotWorkers::start(const LotSource& source,
                                                      const LotFolder& out,
                                                      unsigned threads) {
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return fail(ErrorCode::Io, "eventfd: " + errno_text(errno));
  std::unique_ptr<LotWorkers> workers(new LotWorkers(source, out, std::move(wake)));
  for (unsigned i = 0; i < std::max(threads, 1U); ++i)
    workers->threads_.emplace_back([pool = workers.get()] { pool->run(); });
  return workers;
}

LotWorkers::~LotWorkers() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void LotWorkers::run() {
  Writer writer(out_);
  auto preparer = source_.make_preparer();
  if (!preparer.has_value()) give_up(preparer.error());
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return is_stopping_ || !arrived_.empty() || may_prepare(); });
    // What came back goes first: it is what the station waits for.
    if (!arrived_.empty()) {
      const ArrivedCertificate arrived = std::move(arrived_.front());
      arrived_.pop_front();
      ++writing_;
      lock.unlock();
      LotOutcome outcome = writer.write(arrived);
      // One file is one device's trouble; a folder that takes none ends the run.
      if (outcome.end == LotEnd::NotStored && !out_.takes_files())
        give_up(outcome.error.value_or(Error(ErrorCode::Io)));
      lock.lock();
      outcomes_.push_back(std::move(outcome));
      --writing_;
      wake();
      if (arrived_.empty() && writing_ == 0) idle_.notify_all();
    } else if (is_stopping_) {
      return;
    } else {
      const Batch batch = claim();
      lock.unlock();
      if (preparer.has_value()) prepare(**preparer, batch);
      lock.lock();
      preparing_ -= batch.count;
      wake();
    }
  }
}

bool LotWorkers::may_prepare() const {
  return may_prepare_ && !failure_ && next_index_ < source_.size() &&
         ready_.size() + preparing_ < kMaxReadyItems;
}

LotWorkers::Batch LotWorkers::claim() {
  const uint64_t count = std::min(next_batch_, source_.size() - next_index_);
  const Batch batch{next_index_, count};
  next_index_ += count;
  preparing_ += count;
  next_batch_ = std::min<uint64_t>(next_batch_ * 2, kMaxBatch);
  return batch;
}

void LotWorkers::prepare(LotPreparer& preparer, Batch batch) {
  std::vector<LotItem> items;
  std::vector<LotOutcome> outcomes;
  for (uint64_t i = 0; i < batch.count; ++i) {
    auto entry = preparer.prepare(batch.first + i);
    if (!entry.has_value()) return give_up(std::move(entry).error());
    if (auto* item = std::get_if<LotItem>(&*entry))
      items.push_back(std::move(*item));
    else
      outcomes.push_back(std::move(std::get<LotOutcome>(*entry)));
  }
  auto settled = preparer.settle();
  if (!settled.has_value()) return give_up(std::move(settled).error());
  const std::lock_guard lock(mutex_);
  std::move(items.begin(), items.end(), std::back_inserter(ready_));
  std::move(outcomes.begin(), outcomes.end(), std::back_inserter(outcomes_));
}

void LotWorkers::give_up(Error error) {
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = std::move(error);
  wake();
}

void LotWorkers::wake() {
  const uint64_t one = 1;
  // Fails only when the counter is full, and then the loop is awake anyway.
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
}

void LotWorkers::clear_wake() {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &count, sizeof count);
}

std::optional<LotItem> LotWorkers::take_ready() {
  std::optional<LotItem> item;
  {
    const std::lock_guard lock(mutex_);
    if (ready_.empty()) return item;
    item = std::move(ready_.front());
    ready_.pop_front();
    if (!may_prepare()) return item;
  }
  work_.notify_one();
  return item;
}

void LotWorkers::add(ArrivedCertificate arrived) {
  {
    const std::lock_guard lock(mutex_);
    arrived_.push_back(std::move(arrived));
  }
  work_.notify_one();
}

std::vector<LotOutcome> LotWorkers::take_outcomes() {
  const std::lock_guard lock(mutex_);
  return std::exchange(outcomes_, {});
}

size_t LotWorkers::pending() const {
  const std::lock_guard lock(mutex_);
  return arrived_.size() + writing_;
}

bool LotWorkers::is_source_empty() const {
  const std::lock_guard lock(mutex_);
  return next_index_ >= source_.size() && preparing_ == 0 && ready_.empty();
}

std::optional<Error> LotWorkers::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void LotWorkers::stop_preparing() {
  const std::lock_guard lock(mutex_);
  may_prepare_ = false;
}

void LotWorkers::finish() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return arrived_.empty() && writing_ == 0; });
}

}  // namespace linesign::client
