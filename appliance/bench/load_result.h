// LoadResult: what a load did to an appliance, and what it got.
//
// Threads  plain data
#ifndef LINESIGN_APPLIANCE_BENCH_LOAD_RESULT_H_
#define LINESIGN_APPLIANCE_BENCH_LOAD_RESULT_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "appliance/bench/latency.h"

namespace linesign::bench {

using AnswerCounts = std::map<std::string, uint64_t>;       // by the name of the error
using AnswerExamples = std::map<std::string, std::string>;  // the first message of each

// Stations that behave alike.
struct GroupResult {
  uint32_t stations = 0;
  uint64_t certificates = 0;
  uint64_t least = 0;  // certificates of the station that got least, and most
  uint64_t most = 0;
  std::chrono::microseconds last_certificate{};  // after the start
};

struct LoneResult {
  LatencySummary latency;
  AnswerCounts later;
  AnswerCounts refused;
};

struct LoadResult {
  std::chrono::microseconds wall{};
  uint64_t certificates = 0;      // within `wall`, without the lone station's
  uint64_t all_certificates = 0;  // before and after it too, and the lone station's
  LatencySummary latency;         // from the first sending of a request to its certificate
  AnswerCounts later;             // "try later": Busy and what else
  AnswerCounts refused;           // for ever
  AnswerExamples examples;        // of both
  uint64_t reconnects = 0;
  GroupResult obeying;
  GroupResult hammering;
  std::optional<LoneResult> lone;
  bool ran_out = false;     // of requests, before the time was up
  bool is_stalled = false;  // no certificate came for a long time
  bool interrupted = false;
};

}  // namespace linesign::bench

#endif  // LINESIGN_APPLIANCE_BENCH_LOAD_RESULT_H_
