// Log: a program's lines on standard error, written by a thread of their own, so that a reader that
// does not read (a full pipe, a stopped journal) stops nobody who works.
//
// Shape    2026-11-30T12:00:00.000Z warning <sentence> key=value ...
// Limits   kLogQueueLines lines wait; when they are exceeded the oldest are dropped, and the next
//          line that is written says how many. A line has at most kMaxLogLineBytes
// Threads  lines may come from any; make and destroy the Log where no other thread logs
// Source   pipe(7): a write of at most PIPE_BUF bytes is not mixed with those of other processes
#ifndef LINESIGN_PROTOCOL_LOG_LOG_H_
#define LINESIGN_PROTOCOL_LOG_LOG_H_

#include <unistd.h>

#include <cstddef>
#include <memory>
#include <string>

namespace spdlog {
class logger;
namespace details {
class thread_pool;
}
}  // namespace spdlog

namespace linesign {

constexpr size_t kLogQueueLines = 4096;
constexpr size_t kMaxLogLineBytes = 4096;

class LogSink;

class Log final {
 public:
  struct Settings {
    std::string ending;      // of every line, as a pattern of spdlog: " pid=%P"
    int fd = STDERR_FILENO;  // borrowed
    size_t queue_lines = kLogQueueLines;
  };

  // From now on spdlog's default logger is this.
  explicit Log(const Settings& settings);
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  // Writes what waits, as long as somebody reads it, and drops the rest. Later lines go nowhere.
  ~Log();

 private:
  std::shared_ptr<LogSink> sink_;
  std::shared_ptr<spdlog::logger> logger_;  // lives longer than the thread that uses it
  std::shared_ptr<spdlog::details::thread_pool> writer_;
};

}  // namespace linesign

#endif  // LINESIGN_PROTOCOL_LOG_LOG_H_
