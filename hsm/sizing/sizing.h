// Sizing: how many certificates a token can sign, by how many processes and sessions.
//
// measure() starts worker processes as linesignd starts signers: each is exec'ed, loads the module,
// logs in under the login lock, and only then all of them start at once. Each runs SigningLoop, one
// per thread, for the same time. size_hsm() does so with more and more sessions until more of them
// bring no more, and names the [hsm] lines to use.
//
// What is signed is expired since 1970 and of no CA's name (expired_ca.h): harmless on a real HSM.
// A worker that hangs is killed, but not while it logs in (a kill there can empty a SoftHSM token).
//
// Errors   those of the token and the settings; Internal when a worker cannot be started or breaks
//          off; SignerTimeout when one hangs
// Threads  measure() and size_hsm() block; run_sizing_worker() is the whole of a process
#ifndef LINESIGN_HSM_SIZING_SIZING_H_
#define LINESIGN_HSM_SIZING_SIZING_H_

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hsm/signer/settings.h"
#include "hsm/sizing/knee.h"
#include "hsm/sizing/signing_loop.h"
#include "hsm/sizing/throwaway_token.h"

namespace linesign {

// The token and CA to measure.
struct SizingTarget {
  TokenSettings token;
  std::filesystem::path ca_certificate;
  std::filesystem::path login_lock;           // made if it is not there
  std::filesystem::path pin_memory = {};      // empty: tries of the PIN are not remembered
  std::chrono::milliseconds sign_timeout{0};  // of the configuration; 0: there is none
  std::string user = {};                      // that workers of root run as; empty: root
};

// [hsm] and [ca] of a linesign.toml, read as a signer reads them: the login lock is the signers'.
Result<SizingTarget> load_sizing_target(const std::filesystem::path& config);
SizingTarget sizing_target(const ThrowawayToken& token);

struct SizingSettings {
  SizingTarget target;
  // The program, absolute, and its arguments, with which it does nothing but run_sizing_worker().
  // No secret is on it: the worker reads the PIN file itself.
  std::vector<std::string> worker;
  std::filesystem::path corpus;  // of write_csr_corpus()
  int processes = 1;
  int threads = 1;  // per process, 1 to 16; a process needs one session more than threads
  std::chrono::milliseconds duration = std::chrono::seconds(3);
  StepTiming timing = StepTiming::Off;
};

struct WorkerResult {
  uint64_t certificates = 0;
  double wall_seconds = 0;
  double cpu_seconds = 0;  // user and system time of the process between start and end of the run
  StepTimes steps{};       // sums over the threads; zero unless asked for
};

struct SizingResult {
  std::string token;  // "label (serial)"
  KeyType ca_key = KeyType::EcP256;
  std::optional<uint64_t> session_maximum;  // what the token says it grants; absent: no limit known
  uint64_t sessions_of_others = 0;          // open before the first worker's, if the token tells
  int processes = 0;
  int threads = 0;
  uint64_t certificates = 0;
  double certificates_per_second = 0;
  double cpu_seconds = 0;
  double certificates_per_cpu_second = 0;
  std::vector<WorkerResult> workers;
};

Result<SizingResult> measure(const SizingSettings& settings);

// The other side of measure(): one job from standard input, one JSON line with the result or the
// error to standard output. Returns the exit code of the process, which must end at once with
// _exit. As linesign-signer it becomes the target's user, if it may, drops all capabilities and
// forbids core dumps.
int run_sizing_worker();

struct SizingRequest {
  SizingTarget target;
  std::vector<std::string> worker;  // as in SizingSettings
  std::filesystem::path
      work_folder;               // exists, writable; the corpus is made in it and removed again
  std::filesystem::path corpus;  // empty: one is made
  KeyType device_key = KeyType::EcP256;  // of the corpus that is made
  std::chrono::milliseconds step_duration = std::chrono::seconds(3);
  int cores = 0;  // 0: as many as this process may use
};

struct SizingReport {
  std::string token;
  KeyType ca_key = KeyType::EcP256;
  int cores = 0;
  std::optional<uint64_t> session_maximum;
  uint64_t sessions_of_others = 0;
  std::chrono::milliseconds sign_timeout{0};  // of the target
  std::vector<SizingStep> steps;              // in the order in which they were made; never empty
  size_t knee = 0;                            // of the steps: the one to use
  std::string end_reason;                     // why there was no further step, in words
};

// `on_step` may be empty.
Result<SizingReport> size_hsm(const SizingRequest& request,
                              const std::function<void(const SizingStep&)>& on_step);

// signers and threads_per_signer, as they stand in [hsm].
std::string sizing_config_lines(const SizingReport& report);
// The head of the table, one line of it, and what is said below it: for a terminal, step by step.
std::string sizing_head_text();
std::string sizing_step_text(const SizingStep& step);
std::string sizing_end_text(const SizingReport& report);
// All of it. Ends with a newline.
std::string sizing_text(const SizingReport& report);
// One JSON object without a newline.
std::string sizing_json(const SizingReport& report);

}  // namespace linesign

#endif  // LINESIGN_HSM_SIZING_SIZING_H_
