// Worker messages: what measure() and a sizing worker say to each other, one line each.
//
// Shape    to the worker: a job, then kStartLine, each ended by a newline
//          from the worker: ready, then the result; or an error in place of either. FlatJson.
// Errors   those of the other side, as they were there; InputInvalid for a line that is none of
//          these
#ifndef LINESIGN_HSM_SIZING_WORKER_MESSAGES_H_
#define LINESIGN_HSM_SIZING_WORKER_MESSAGES_H_

#include <string>
#include <string_view>

#include "hsm/sizing/sizing.h"

namespace linesign {

constexpr std::string_view kStartLine = "start";

struct WorkerJob {
  SizingTarget target;
  std::filesystem::path corpus;
  int threads = 1;
  std::chrono::milliseconds duration{};
  StepTiming timing = StepTiming::Off;
};

struct WorkerReady {
  std::string token;
  KeyType ca_key = KeyType::EcP256;
  std::optional<uint64_t> session_maximum;
  std::optional<uint64_t> sessions;  // open before this worker's own
};

std::string job_line(const WorkerJob& job);
Result<WorkerJob> parse_job(std::string_view line);

std::string ready_line(const WorkerReady& ready);
Result<WorkerReady> parse_ready(std::string_view line);

std::string result_line(const WorkerResult& result);
Result<WorkerResult> parse_result(std::string_view line);

std::string error_line(const Error& error);

}  // namespace linesign

#endif  // LINESIGN_HSM_SIZING_WORKER_MESSAGES_H_
