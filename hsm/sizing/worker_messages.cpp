#include "hsm/sizing/worker_messages.h"

#include <algorithm>

#include <fmt/format.h>

#include "hsm/sizing/flat_json.h"

namespace linesign {
namespace {

constexpr uint64_t kMaxThreadsInMessage = 16;
constexpr uint64_t kMaxDurationMs = 24 * 60 * 60 * 1000;
constexpr double kNanosPerSecond = 1e9;

double seconds(uint64_t nanos) { return static_cast<double>(nanos) / kNanosPerSecond; }
uint64_t nanos(double seconds) {
  return static_cast<uint64_t>(std::max(seconds, 0.0) * kNanosPerSecond);
}

std::string step_name(size_t step) { return fmt::format("{}_ns", kSizingStepNames[step]); }

Result<uint64_t> number_in(const FlatJson& json,
                           std::string_view name,
                           uint64_t min,
                           uint64_t max) {
  LS_TRY(const uint64_t value, json.get_number(name));
  if (value < min || value > max)
    return fail(ErrorCode::InputInvalid, fmt::format("{} is out of its range", name));
  return value;
}

Result<std::optional<uint64_t>> optional_number(const FlatJson& json, std::string_view name) {
  if (!json.has(name)) return std::optional<uint64_t>();
  LS_TRY(const uint64_t value, json.get_number(name));
  return std::optional<uint64_t>(value);
}

// The error that a worker names, or the line.
Result<FlatJson> parse_answer(std::string_view line) {
  LS_TRY(FlatJson json, FlatJson::parse(line));
  if (!json.has("error")) return json;
  LS_TRY(const uint64_t number, json.get_number("error"));
  LS_TRY(const std::string detail, json.get_text("detail"));
  const auto code = find_error_code(static_cast<uint32_t>(std::min<uint64_t>(number, UINT32_MAX)));
  return fail(code.value_or(ErrorCode::Internal), detail);
}

Result<KeyType> parse_key_type(const std::string& name) {
  const auto* row = std::ranges::find(kKeyTypeNames, name);
  if (row == kKeyTypeNames.end()) return fail(ErrorCode::InputInvalid, "an unknown key type");
  return static_cast<KeyType>(row - kKeyTypeNames.begin());
}

Result<SizingTarget> parse_target(const FlatJson& json) {
  SizingTarget target;
  LS_TRY(target.token.module, json.get_text("module"));
  LS_TRY(target.token.token_label, json.get_text("token_label"));
  LS_TRY(target.token.token_serial, json.get_text("token_serial"));
  LS_TRY(target.token.key_label, json.get_text("key_label"));
  LS_TRY(target.token.key_id_hex, json.get_text("key_id"));
  LS_TRY(target.token.pin_file, json.get_text("pin_file"));
  LS_TRY(target.ca_certificate, json.get_text("ca_certificate"));
  LS_TRY(target.login_lock, json.get_text("login_lock"));
  LS_TRY(target.pin_memory, json.get_text("pin_memory"));
  LS_TRY(target.user, json.get_text("user"));
  return target;
}

}  // namespace

std::string job_line(const WorkerJob& job) {
  const TokenSettings& token = job.target.token;
  return FlatJson()
      .text("module", token.module.string())
      .text("token_label", token.token_label)
      .text("token_serial", token.token_serial)
      .text("key_label", token.key_label)
      .text("key_id", token.key_id_hex)
      .text("pin_file", token.pin_file.string())
      .text("ca_certificate", job.target.ca_certificate.string())
      .text("login_lock", job.target.login_lock.string())
      .text("pin_memory", job.target.pin_memory.string())
      .text("user", job.target.user)
      .text("corpus", job.corpus.string())
      .number("threads", static_cast<uint64_t>(job.threads))
      .number("duration_ms", static_cast<uint64_t>(job.duration.count()))
      .number("timing", job.timing == StepTiming::On ? 1 : 0)
      .line();
}

Result<WorkerJob> parse_job(std::string_view line) {
  LS_TRY(const FlatJson json, FlatJson::parse(line));
  WorkerJob job;
  LS_TRY(job.target, parse_target(json));
  LS_TRY(job.corpus, json.get_text("corpus"));
  LS_TRY(const uint64_t threads, number_in(json, "threads", 1, kMaxThreadsInMessage));
  job.threads = static_cast<int>(threads);
  LS_TRY(const uint64_t duration, number_in(json, "duration_ms", 0, kMaxDurationMs));
  job.duration = std::chrono::milliseconds(duration);
  LS_TRY(const uint64_t timing, number_in(json, "timing", 0, 1));
  job.timing = timing == 1 ? StepTiming::On : StepTiming::Off;
  return job;
}

std::string ready_line(const WorkerReady& ready) {
  FlatJson json;
  json.text("token", ready.token).text("ca_key", to_string(ready.ca_key));
  if (ready.session_maximum) json.number("session_maximum", *ready.session_maximum);
  if (ready.sessions) json.number("sessions", *ready.sessions);
  return json.line();
}

Result<WorkerReady> parse_ready(std::string_view line) {
  LS_TRY(const FlatJson json, parse_answer(line));
  WorkerReady ready;
  LS_TRY(ready.token, json.get_text("token"));
  LS_TRY(const std::string ca_key, json.get_text("ca_key"));
  LS_TRY(ready.ca_key, parse_key_type(ca_key));
  LS_TRY(ready.session_maximum, optional_number(json, "session_maximum"));
  LS_TRY(ready.sessions, optional_number(json, "sessions"));
  return ready;
}

std::string result_line(const WorkerResult& result) {
  FlatJson json;
  json.number("certificates", result.certificates)
      .number("wall_ns", nanos(result.wall_seconds))
      .number("cpu_ns", nanos(result.cpu_seconds));
  for (size_t i = 0; i < result.steps.size(); ++i)
    json.number(step_name(i), static_cast<uint64_t>(result.steps[i].count()));
  return json.line();
}

Result<WorkerResult> parse_result(std::string_view line) {
  LS_TRY(const FlatJson json, parse_answer(line));
  WorkerResult result;
  LS_TRY(result.certificates, json.get_number("certificates"));
  LS_TRY(const uint64_t wall, json.get_number("wall_ns"));
  result.wall_seconds = seconds(wall);
  LS_TRY(const uint64_t cpu, json.get_number("cpu_ns"));
  result.cpu_seconds = seconds(cpu);
  for (size_t i = 0; i < result.steps.size(); ++i) {
    LS_TRY(const uint64_t step, number_in(json, step_name(i), 0, INT64_MAX));
    result.steps[i] = std::chrono::nanoseconds(step);
  }
  return result;
}

std::string error_line(const Error& error) {
  return FlatJson()
      .number("error", static_cast<uint64_t>(error.code()))
      .text("detail", error.detail())
      .line();
}

}  // namespace linesign
