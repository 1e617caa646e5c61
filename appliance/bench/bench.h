// Bench: one measurement from nothing to the report: an appliance, its stations, their requests,
// the load, and the ceiling on the same token just before and after it.
//
// Errors   Unavailable when a running appliance does not produce; those of the parts; Interrupted
// Threads  run_bench() blocks. REQUIRES: no other thread when it is called
#ifndef LINESIGN_APPLIANCE_BENCH_BENCH_H_
#define LINESIGN_APPLIANCE_BENCH_BENCH_H_

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/bench/bench_report.h"
#include "appliance/bench/plant.h"
#include "protocol/base/result.h"

namespace linesign::bench {

// An appliance that runs already. What it issues is real: it counts against the order and stays in
// the ledger. The stations of the bench are revoked at the end.
struct RunningAppliance {
  std::filesystem::path config;
  std::string order;
};

struct BenchSettings {
  std::optional<RunningAppliance> running;  // absent: a plant is built
  PlantSettings plant;
  KeyType device_key = KeyType::EcP256;
  std::filesystem::path csr_cache;  // empty: the requests are made anew. Not for `running`
  uint32_t stations = 16;
  uint32_t window = 64;
  uint64_t lot = 0;  // requests of each station; 0: for a time
  std::chrono::milliseconds warm_up = std::chrono::seconds(1);  // if lot is 0
  std::chrono::milliseconds duration = std::chrono::seconds(10);
  uint32_t hammering = 0;
  bool lone = false;
  std::chrono::milliseconds lone_interval = std::chrono::seconds(1);
  std::chrono::milliseconds ceiling_duration = std::chrono::seconds(3);  // 0: no ceiling
  std::vector<std::string> sizing_worker;  // as SizingSettings::worker
  int cancel_descriptor = -1;
};

// What a person is told meanwhile. Called on the thread of run_bench().
class BenchObserver {
 public:
  BenchObserver() = default;
  BenchObserver(const BenchObserver&) = delete;
  BenchObserver& operator=(const BenchObserver&) = delete;
  virtual ~BenchObserver() = default;

  virtual void on_phase(std::string_view what) = 0;
  // `total` 0: not known. `note` is about what is done, and may be empty.
  virtual void on_progress(uint64_t done, uint64_t total, std::string_view note) = 0;
};

Result<BenchReport> run_bench(const BenchSettings& settings, BenchObserver& observer);

}  // namespace linesign::bench

#endif  // LINESIGN_APPLIANCE_BENCH_BENCH_H_
