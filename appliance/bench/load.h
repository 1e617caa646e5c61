// Load: many stations at work at the same time, over TLS, on one thread.
//
// All connect first; then all start at once. The measurement is over when every station has had its
// lot, or after a time; then nothing new is sent, and the answers that are on their way are waited
// for.
//
// Errors   when not all stations can connect. What goes wrong later is in the result
// Threads  run() blocks; the lone station has a thread of its own meanwhile
#ifndef LINESIGN_APPLIANCE_BENCH_LOAD_H_
#define LINESIGN_APPLIANCE_BENCH_LOAD_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "appliance/bench/load_result.h"
#include "protocol/base/result.h"
#include "stations/client/station_client.h"

namespace linesign::bench {

struct LoadSettings {
  std::span<const StationCredential> stations;  // one connection each
  const StationCredential* lone = nullptr;      // not owned; null: none
  std::span<const IssueRequest> requests;       // no request is sent for two devices
  std::span<const IssueRequest> lone_requests;
  uint32_t window = 64;
  uint64_t lot = 0;                      // requests of each station; 0: for a time
  std::chrono::milliseconds warm_up{};   // if lot is 0: load that is not measured yet
  std::chrono::milliseconds duration{};  // if lot is 0: of the measurement
  uint32_t hammering = 0;                // so many of the stations do not obey "try later"
  std::chrono::milliseconds lone_interval = std::chrono::seconds(1);
  int cancel_descriptor = -1;
};

// Each may be empty. What they take is not measured.
struct LoadHooks {
  std::function<void(size_t connected)> on_connected;
  std::function<void()> on_start;  // the measurement begins
  std::function<void()> on_end;    // it is over
  std::function<void(uint64_t certificates, std::chrono::milliseconds elapsed)> on_progress;
};

Result<LoadResult> run_load(const LoadSettings& settings, const LoadHooks& hooks);

}  // namespace linesign::bench

#endif  // LINESIGN_APPLIANCE_BENCH_LOAD_H_
