// A ledger in a folder of its own, and requests to put into it.
#ifndef LINESIGN_TESTS_UNIT_APPLIANCE_LEDGER_LEDGER_FIXTURE_H_
#define LINESIGN_TESTS_UNIT_APPLIANCE_LEDGER_LEDGER_FIXTURE_H_

#include <filesystem>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "appliance/ledger/ledger.h"
#include "tests/support/temp_dir.h"

namespace linesign::testing {

constexpr UnixTime kNow{std::chrono::seconds(1'700'000'000)};
constexpr Sha256 kProfileHash{0x50, 0x52, 0x4f};

template <typename T>
ErrorCode code_of(const Result<T>& result) {
  EXPECT_FALSE(result.has_value());
  return result.has_value() ? ErrorCode::Internal : result.error().code();
}

// 32 (or 16) bytes that differ for each `tag` and `number`.
template <size_t kSize>
std::array<uint8_t, kSize> filled(uint8_t tag, uint64_t number) {
  std::array<uint8_t, kSize> value{};
  value.fill(tag);
  for (size_t i = 0; i < 8; ++i) value[kSize - 1 - i] = static_cast<uint8_t>(number >> (8 * i));
  return value;
}

// The parts of a request that views point to.
struct Request {
  explicit Request(uint64_t number, int64_t station = 1)
      : device_id("device-" + std::to_string(number)),
        tbs(400, static_cast<uint8_t>(number)),
        csr(300, static_cast<uint8_t>(number + 1)) {
    intent = {.station_id = station,
              .order_id = order_id,
              .device_id = device_id,
              .request_id = filled<16>(1, number),
              .serial = filled<16>(0x41, number),
              .csr_hash = filled<32>(2, number),
              .key_hash = filled<32>(3, number),
              .profile_hash = kProfileHash,
              .issued_at = kNow,
              .tbs = tbs,
              .csr = csr};
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  std::string order_id = "default";
  std::string device_id;
  Bytes tbs;
  Bytes csr;
  NewIntent intent;
};

inline Bytes signature_of(uint64_t number) { return Bytes(71, static_cast<uint8_t>(number + 2)); }
inline const Bytes kAlgorithm = {
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};

// What every ledger needs before its first intent: a profile, and station number 1.
inline Result<void> prepare(Ledger& ledger) {
  LS_CHECK(ledger.begin());
  LS_CHECK(ledger.remember_profile(kProfileHash, "profile 1\n", Bytes{0x30}, kAlgorithm, kNow));
  LS_TRY(const StationRecord station,
         ledger.add_station("line-1", filled<32>(7, 1), kNow, kNow + std::chrono::hours(1)));
  LS_CHECK(ledger.activate_station(station.id, filled<32>(8, 1), Bytes{0x30, 0x01}, kNow));
  return ledger.commit();
}

class LedgerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    open();
    const auto prepared = prepare(*ledger_);
    ASSERT_TRUE(prepared.has_value()) << prepared.error().to_string();
  }

  void open() {
    ledger_.reset();
    auto opened = Ledger::open(settings());
    ASSERT_TRUE(opened.has_value()) << opened.error().to_string();
    ledger_ = std::move(*opened);
  }

  LedgerSettings settings() const { return {.directory = folder_.path() / "ledger", .vfs = vfs_}; }
  std::filesystem::path file() const { return folder_.path() / "ledger" / "ledger.sqlite"; }

  // One transaction around one call.
  template <typename Call>
  std::invoke_result_t<Call> in_transaction(Call call) {
    LS_CHECK(ledger_->begin());
    auto result = call();
    LS_CHECK(ledger_->commit());
    return result;
  }
  Result<IntentOutcome> record(const Request& request) {
    return in_transaction([&] { return ledger_->record_intent(request.intent); });
  }
  // Records intent and certificate; gives the issuance id.
  uint64_t issue(uint64_t number) {
    const Request request(number);
    const auto outcome = record(request);
    EXPECT_TRUE(outcome.has_value());
    const uint64_t id = std::get<RecordedIntent>(*outcome).issuance_id();
    const auto committed =
        in_transaction([&] { return ledger_->record_certificate(id, signature_of(number), kNow); });
    EXPECT_TRUE(committed.has_value());
    return id;
  }
  // What an outsider does to the file while nobody has it open.
  void sql(const std::string& statement) {
    ledger_.reset();
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(file().c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, statement.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(database);
    sqlite3_close(database);
  }
  // One number out of the closed file.
  int64_t number(const std::string& statement) {
    ledger_.reset();
    sqlite3* database = nullptr;
    EXPECT_EQ(sqlite3_open(file().c_str(), &database), SQLITE_OK);
    sqlite3_stmt* query = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(database, statement.c_str(), -1, &query, nullptr), SQLITE_OK);
    EXPECT_EQ(sqlite3_step(query), SQLITE_ROW);
    const int64_t value = sqlite3_column_int64(query, 0);
    sqlite3_finalize(query);
    sqlite3_close(database);
    return value;
  }

  std::string vfs_;
  TempDir folder_;
  std::unique_ptr<Ledger> ledger_;
};

}  // namespace linesign::testing

#endif  // LINESIGN_TESTS_UNIT_APPLIANCE_LEDGER_LEDGER_FIXTURE_H_
