// What the two durable writes of a certificate cost: CPU time per certificate, by batch size and by
// what is in the ledger already. TMPDIR says on which disk.
#include <memory>
#include <random>

#include <benchmark/benchmark.h>

#include "appliance/ledger/ledger.h"
#include "tests/support/temp_dir.h"

namespace linesign {
namespace {

constexpr UnixTime kAt{std::chrono::seconds(1'700'000'000)};

// Sizes of P-256 with the default profile; random where real values are random.
struct Device {
  Device(uint64_t number, std::mt19937_64& random)
      : id("SN" + std::to_string(100'000'000 + number)) {
    for (auto* bytes : {&request_id, &serial})
      for (uint8_t& byte : *bytes) byte = static_cast<uint8_t>(random());
    for (uint8_t& byte : key) byte = static_cast<uint8_t>(random());
  }
  std::string id;
  std::array<uint8_t, 16> request_id{};
  std::array<uint8_t, 16> serial{};
  Sha256 key{};
};

class Line final {
 public:
  Line() : ledger_(std::move(*Ledger::open({.directory = folder_.path() / "ledger"}))) {
    const Bytes der(400, 0x30);
    bool is_ready = ledger_->begin().has_value();
    is_ready &= ledger_->remember_profile(Sha256{}, "bench\n", der, der, kAt).has_value();
    const auto station = ledger_->add_station("bench", Sha256{}, kAt, kAt);
    is_ready &= station.has_value() && ledger_->commit().has_value();
    if (!is_ready) std::abort();
    station_ = station->id;
  }

  // One transaction of intents, one of certificates.
  void issue(int64_t count) {
    std::vector<uint64_t> ids;
    bool is_good = ledger_->begin().has_value();
    for (int64_t i = 0; i < count; ++i) {
      const Device device(next_++, random_);
      const auto outcome = ledger_->record_intent({.station_id = station_,
                                                   .order_id = "default",
                                                   .device_id = device.id,
                                                   .request_id = device.request_id,
                                                   .serial = device.serial,
                                                   .csr_hash = device.key,
                                                   .key_hash = device.key,
                                                   .profile_hash = Sha256{},
                                                   .issued_at = kAt,
                                                   .tbs = tbs_,
                                                   .csr = csr_});
      is_good &= outcome.has_value();
      ids.push_back(std::get<RecordedIntent>(*outcome).issuance_id());
    }
    is_good &= ledger_->commit().has_value() && ledger_->begin().has_value();
    for (const uint64_t id : ids)
      is_good &= ledger_->record_certificate(id, signature_, kAt).has_value();
    is_good &= ledger_->commit().has_value();
    if (!is_good) std::abort();
  }

  int64_t size() const { return static_cast<int64_t>(next_); }

 private:
  TempDir folder_;
  std::unique_ptr<Ledger> ledger_;
  std::mt19937_64 random_{1};
  int64_t station_ = 0;
  uint64_t next_ = 0;
  Bytes tbs_ = Bytes(420, 1);
  Bytes csr_ = Bytes(260, 2);
  Bytes signature_ = Bytes(71, 3);
};

// Arguments: certificates in a transaction; certificates in the ledger before it starts.
void two_durable_writes(benchmark::State& state) {
  Line line;
  while (line.size() < state.range(1)) line.issue(1024);
  for (auto _ : state) line.issue(state.range(0));
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.counters["cpu_us_per_certificate"] =
      benchmark::Counter(static_cast<double>(state.iterations() * state.range(0)) * 1e-6,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

BENCHMARK(two_durable_writes)
    ->ArgNames({"batch", "rows"})
    ->Args({1, 0})
    ->Args({16, 0})
    ->Args({64, 0})
    ->Args({256, 0})
    ->Args({64, 200'000})
    ->Args({256, 200'000});

}  // namespace
}  // namespace linesign

BENCHMARK_MAIN();
