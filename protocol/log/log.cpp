#include "protocol/log/log.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <memory>

#include <fmt/format.h>
#include <pthread.h>
#include <spdlog/async.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include "protocol/base/unique_fd.h"

namespace linesign {
namespace {

constexpr int kLastWaitMs = 500;

// The writing thread takes no signal, which a program may want to wait for on its own threads.
std::shared_ptr<spdlog::details::thread_pool> start_writer(size_t queue_lines) {
  sigset_t all{};
  sigset_t before{};
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  auto writer = std::make_shared<spdlog::details::thread_pool>(queue_lines, 1);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return writer;
}

}  // namespace

// Called by the writing thread alone, which is why it needs no lock.
class LogSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit LogSink(int fd) : fd_(fd), hurry_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  // REQUIRES: before the first line; outlives this object's use.
  void set_writer(spdlog::details::thread_pool* writer) { writer_ = writer; }

  // From now on a reader is waited for once more and not for long. May be called by any thread.
  void hurry() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(hurry_.get(), &one, sizeof one);
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    // In front of the first line that is written after them.
    const size_t lost = writer_->overrun_counter();
    if (lost != told_lost_) {
      const std::string text = fmt::format("log lines dropped count={}", lost - told_lost_);
      if (write(spdlog::details::log_msg(
              message.time, {}, message.logger_name, spdlog::level::warn, text)))
        told_lost_ = lost;
    }
    write(message);
  }
  void flush_() override {}

 private:
  // False: nobody reads, and there is no time left to wait.
  bool write(const spdlog::details::log_msg& message) {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    if (line.size() > kMaxLogLineBytes) {
      line.resize(kMaxLogLineBytes);
      line[kMaxLogLineBytes - 1] = '\n';
    }
    if (!wait_for_reader()) return false;
    [[maybe_unused]] const ssize_t written = ::write(fd_, line.data(), line.size());
    return true;
  }

  bool wait_for_reader() {
    std::array<pollfd, 2> either = {{{.fd = fd_, .events = POLLOUT, .revents = 0},
                                     {.fd = hurry_.get(), .events = POLLIN, .revents = 0}}};
    while (::poll(either.data(), either.size(), -1) < 0) {
    }
    if (either[0].revents != 0 || has_given_up_) return either[0].revents != 0;
    has_given_up_ = ::poll(either.data(), 1, kLastWaitMs) <= 0;
    return !has_given_up_;
  }

  const int fd_;
  const UniqueFd hurry_;
  spdlog::details::thread_pool* writer_ = nullptr;
  size_t told_lost_ = 0;
  bool has_given_up_ = false;
};

Log::Log(const Settings& settings)
    : sink_(std::make_shared<LogSink>(settings.fd)), writer_(start_writer(settings.queue_lines)) {
  sink_->set_writer(writer_.get());
  logger_ = std::make_shared<spdlog::async_logger>(
      "linesign", sink_, writer_, spdlog::async_overflow_policy::overrun_oldest);
  // journald adds its own time; the pattern's serves everybody else.
  logger_->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v" + settings.ending,
                       spdlog::pattern_time_type::utc);
  spdlog::set_default_logger(logger_);
}

Log::~Log() {
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "linesign", std::make_shared<spdlog::sinks::null_sink_mt>()));
  sink_->hurry();
  writer_.reset();  // joins its thread, which has the last lines
}

}  // namespace linesign
